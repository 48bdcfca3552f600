-- Ends deliveries that were claimed but have no payload any more (reason 7, EXPIRED): $1 delivery_ids
-- $2 lease_tokens.
-- coalesce keeps the index of all leased rows out, which costs nothing only while that is empty.
WITH gone AS (
  DELETE FROM open_deliveries o
  USING unnest($1::uuid[], $2::bigint[]) AS i(delivery_id, lease_token)
  WHERE o.delivery_id = i.delivery_id AND o.lease_token = i.lease_token
    AND coalesce(o.lease_node, 0) <> 0
  RETURNING o.*
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, 7, attempt_count,
       create_time, now()
FROM gone
