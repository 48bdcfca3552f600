-- Cancels open deliveries created before $1 (reason 7, EXPIRED), at most $2.
WITH gone AS (
  DELETE FROM open_deliveries WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM open_deliveries WHERE delivery_id < ulid_floor($1::timestamptz)
    ORDER BY delivery_id LIMIT $2::int FOR UPDATE SKIP LOCKED))
  RETURNING *
), noted AS (
  INSERT INTO endpoint_changes (endpoint_id, kind)
  SELECT DISTINCT endpoint_id, 7 FROM gone WHERE lease_node IS NOT NULL
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time, lease_token)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, 7, attempt_count,
       create_time, now(), CASE WHEN lease_node IS NOT NULL THEN lease_token END
FROM gone
