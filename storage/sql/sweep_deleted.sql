-- Open deliveries of deleted endpoints (reason 5), at most $1. Endpoint by endpoint: a join would
-- rather read all open deliveries.
WITH gone AS (
  DELETE FROM open_deliveries WHERE delivery_id = ANY (ARRAY(
    SELECT o.delivery_id
    FROM endpoint_states s
    CROSS JOIN LATERAL (SELECT delivery_id FROM open_deliveries o
                        WHERE o.endpoint_id = s.endpoint_id
                        LIMIT $1::int FOR UPDATE SKIP LOCKED) AS o
    WHERE s.state = 3 LIMIT $1::int))
  RETURNING *
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time, lease_token)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, 5, attempt_count,
       create_time, now(), CASE WHEN lease_node IS NOT NULL THEN lease_token END
FROM gone
