-- What is left of deleted endpoints, once nothing refers to it: after the retention of $1 seconds, and
-- of a purged org, whose rows were wiped, after a day. At most $2.
WITH gone AS MATERIALIZED (
  SELECT p.endpoint_id FROM endpoints p
  WHERE p.delete_time < now() - CASE WHEN p.url = '' THEN interval '1 day'
                                     ELSE make_interval(secs => $1::float8) END
    AND NOT EXISTS (SELECT FROM open_deliveries o WHERE o.endpoint_id = p.endpoint_id)
  LIMIT $2::int
), state AS (
  DELETE FROM endpoint_states WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
), total AS (
  DELETE FROM endpoint_totals WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
), change AS (
  DELETE FROM endpoint_changes WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
)
DELETE FROM endpoints WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
