-- Cancels one open delivery for its owner: $1 delivery_id. An attempt in flight is still logged.
WITH gone AS (
  DELETE FROM open_deliveries WHERE delivery_id = $1::uuid RETURNING *
), noted AS (
  -- The node that has them must not start them any more.
  INSERT INTO endpoint_changes (endpoint_id, kind)
  SELECT DISTINCT endpoint_id, 7 FROM gone WHERE lease_node IS NOT NULL
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time, lease_token)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, 6, attempt_count,
       create_time, now(), CASE WHEN lease_node IS NOT NULL THEN lease_token END
FROM gone
RETURNING delivery_id
