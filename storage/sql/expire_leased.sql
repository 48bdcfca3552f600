-- Ends deliveries that were claimed but have no payload any more (reason 7, EXPIRED): $1 delivery_ids
-- $2 lease_tokens.
-- coalesce and ctid: see record.sql.
WITH located AS MATERIALIZED (
  SELECT i.lease_token, o.place
  FROM unnest($1::uuid[], $2::bigint[]) AS i(delivery_id, lease_token)
  CROSS JOIN LATERAL (SELECT o.ctid AS place FROM open_deliveries o
                      WHERE o.delivery_id = i.delivery_id OFFSET 0) AS o
), gone AS (
  DELETE FROM open_deliveries o USING located l
  WHERE o.ctid = l.place AND o.lease_token = l.lease_token
    AND coalesce(o.lease_node, 0) <> 0
  RETURNING o.*
)
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time)
SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 5, 7, attempt_count,
       create_time, now()
FROM gone
