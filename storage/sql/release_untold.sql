-- Gives back what fan-outs leased to node $2 without its knowing, because their answer was lost: $1 event_ids.
-- $3 and $4, an element for each of their milliseconds: where the ids of it begin and end
-- (storage/postgres/event_ids.h). What Publish made for other events in these is passed over.
-- Only the lease that a delivery is stored with has a negative token: what anybody claimed is not
-- touched, and doing it again does nothing.
-- IS TRUE makes the events a table that is looked into, not a join. coalesce and ctid: see record.sql.
WITH located AS MATERIALIZED (
  SELECT o.place
  FROM unnest($3::uuid[], $4::uuid[]) AS m(first_id, end_id)
  CROSS JOIN LATERAL (SELECT o.ctid AS place, o.event_id FROM open_deliveries o
                      WHERE o.delivery_id >= m.first_id AND o.delivery_id < m.end_id OFFSET 0) AS o
  WHERE (o.event_id IN (SELECT unnest($1::uuid[]))) IS TRUE
)
UPDATE open_deliveries o SET lease_node = NULL, lease_expire_time = NULL
FROM located l
WHERE o.ctid = l.place AND o.lease_token < 0 AND coalesce(o.lease_node, 0) = $2::int
