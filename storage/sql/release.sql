-- Gives back leases whose attempts were not started: $1 delivery_ids $2 lease_tokens. They stay due.
-- coalesce and ctid: see record.sql.
WITH located AS MATERIALIZED (
  SELECT i.lease_token, o.place
  FROM unnest($1::uuid[], $2::bigint[]) AS i(delivery_id, lease_token)
  CROSS JOIN LATERAL (SELECT o.ctid AS place FROM open_deliveries o
                      WHERE o.delivery_id = i.delivery_id OFFSET 0) AS o
)
UPDATE open_deliveries o SET lease_node = NULL, lease_expire_time = NULL
FROM located l
WHERE o.ctid = l.place AND o.lease_token = l.lease_token
  AND coalesce(o.lease_node, 0) <> 0
