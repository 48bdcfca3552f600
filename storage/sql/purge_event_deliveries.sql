-- Ends open deliveries of an event whose payload was erased (reason 7, EXPIRED): $1 event_id, at most
-- $2 that Publish made and as many others. $3 and $4: ids of its millisecond (storage/postgres/event_ids.h).
-- An attempt in flight is still logged: the closed row waits for its lease token.
WITH gone AS (
  DELETE FROM open_deliveries WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id
    FROM (SELECT delivery_id FROM open_deliveries
          WHERE event_id = $1::uuid AND origin = 1 AND delivery_id >= $3::uuid AND delivery_id < $4::uuid
          ORDER BY delivery_id LIMIT $2::int FOR UPDATE) AS made
    UNION ALL
    SELECT delivery_id
    FROM (SELECT delivery_id FROM open_deliveries WHERE event_id = $1::uuid AND origin <> 1
          ORDER BY delivery_id LIMIT $2::int FOR UPDATE) AS made_again))
  RETURNING *
), noted AS (
  -- The node that has them must not start them any more (7: leased deliveries canceled).
  INSERT INTO endpoint_changes (endpoint_id, kind)
  SELECT DISTINCT endpoint_id, 7 FROM gone WHERE lease_node IS NOT NULL
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time, lease_token)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, 7, attempt_count,
       create_time, now(), CASE WHEN lease_node IS NOT NULL THEN lease_token END
FROM gone
