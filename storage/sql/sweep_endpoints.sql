-- What is left of deleted endpoints, once nothing refers to it: after the retention of $1 seconds, and
-- of a purged org, whose rows were wiped, after a day. At most $2. PurgeOrg finds the log by the endpoints, so
-- they stay while there is anything of them in the log, or a closed delivery whose attempt may still come
-- there. OFFSET 0 makes that probes: a join would rather read the log. Of an endpoint that has much, the order
-- reads the first entry of an index alone.
WITH gone AS MATERIALIZED (
  SELECT p.endpoint_id FROM endpoints p
  WHERE p.delete_time < now() - CASE WHEN p.url = '' THEN interval '1 day'
                                     ELSE make_interval(secs => $1::float8) END
    AND NOT EXISTS (SELECT FROM open_deliveries o WHERE o.endpoint_id = p.endpoint_id
                    ORDER BY o.delivery_id LIMIT 1 OFFSET 0)
    AND NOT EXISTS (SELECT FROM closed_deliveries c WHERE c.endpoint_id = p.endpoint_id
                    ORDER BY c.delivery_id LIMIT 1 OFFSET 0)
    AND NOT EXISTS (SELECT FROM attempts a WHERE a.endpoint_id = p.endpoint_id
                    ORDER BY a.attempt_id LIMIT 1 OFFSET 0)
  LIMIT $2::int
), state AS (
  DELETE FROM endpoint_states WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
), total AS (
  DELETE FROM endpoint_totals WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
), change AS (
  DELETE FROM endpoint_changes WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
)
DELETE FROM endpoints WHERE endpoint_id IN (SELECT endpoint_id FROM gone)
