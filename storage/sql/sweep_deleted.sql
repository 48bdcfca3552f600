-- Open deliveries of deleted endpoints (reason 5), at most $1.
WITH gone AS (
  DELETE FROM open_deliveries WHERE delivery_id = ANY (ARRAY(
    SELECT o.delivery_id FROM endpoint_states s JOIN open_deliveries o USING (endpoint_id)
    WHERE s.state = 3 LIMIT $1::int FOR UPDATE OF o SKIP LOCKED))
  RETURNING *
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time, lease_token)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, 5, attempt_count,
       create_time, now(), CASE WHEN lease_node IS NOT NULL THEN lease_token END
FROM gone
