-- Gives back what fan-outs leased to node $2 without its knowing, because their answer was lost: $1 event_ids.
-- Only the lease that a delivery is stored with has a negative token: what anybody claimed is not
-- touched, and doing it again does nothing.
-- coalesce and ctid: see record.sql.
WITH located AS MATERIALIZED (
  SELECT o.place
  FROM unnest($1::uuid[]) AS i(event_id)
  CROSS JOIN LATERAL (SELECT o.ctid AS place FROM open_deliveries o
                      WHERE o.event_id = i.event_id OFFSET 0) AS o
)
UPDATE open_deliveries o SET lease_node = NULL, lease_expire_time = NULL
FROM located l
WHERE o.ctid = l.place AND o.lease_token < 0 AND coalesce(o.lease_node, 0) = $2::int
