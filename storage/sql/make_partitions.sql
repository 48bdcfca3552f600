-- Yesterday (clocks of publishers may lag behind midnight) to two days ahead, under a lock that keeps
-- two nodes from making the same day.
SELECT make_day(day::date)
FROM (SELECT pg_advisory_xact_lock(7216901)) AS locked,
     generate_series((now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date + 2,
                     interval '1 day') AS day
