-- Bodies of events accepted before $1 go, at most $2 at a time; deliveries of them that are still
-- open end as EXPIRED when their turn comes.
UPDATE events SET body = NULL
WHERE event_id = ANY (ARRAY(SELECT event_id FROM events
                            WHERE event_id < ulid_floor($1::timestamptz) AND body IS NOT NULL
                            LIMIT $2::int))
