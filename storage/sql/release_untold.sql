-- Gives back what fan-outs leased to node $2 without its knowing, because their answer was lost: $1 event_ids.
-- Only the lease that a delivery is stored with has a negative token: what anybody claimed is not
-- touched, and doing it again does nothing.
-- coalesce keeps the index of all leased rows out, which costs nothing only while that is empty.
UPDATE open_deliveries o SET lease_node = NULL, lease_expire_time = NULL
FROM (SELECT d.delivery_id
      FROM unnest($1::uuid[]) AS i(event_id)
      CROSS JOIN LATERAL (SELECT delivery_id FROM open_deliveries o
                          WHERE o.event_id = i.event_id OFFSET 0) AS d) AS d
WHERE o.delivery_id = d.delivery_id AND o.lease_token < 0 AND coalesce(o.lease_node, 0) = $2::int
