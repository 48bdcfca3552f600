-- Cancels open deliveries of one endpoint, at most $4: $1 endpoint_id $2 reason $3 created before this
-- time. An attempt in flight is still logged: the closed row waits for its lease token.
WITH gone AS (
  DELETE FROM open_deliveries WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM open_deliveries
    WHERE endpoint_id = $1::uuid AND create_time <= $3 ORDER BY delivery_id LIMIT $4::int
    FOR UPDATE SKIP LOCKED))
  RETURNING *
), noted AS (
  -- The node that has them must not start them any more.
  INSERT INTO endpoint_changes (endpoint_id, kind)
  SELECT DISTINCT endpoint_id, 7 FROM gone WHERE lease_node IS NOT NULL
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time, lease_token)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, $2::int, attempt_count,
       create_time, now(), CASE WHEN lease_node IS NOT NULL THEN lease_token END
FROM gone
