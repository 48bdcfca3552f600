-- Deliveries of environments $1 that are over, at most $2. Order: see purge_org_open.sql.
DELETE FROM closed_deliveries WHERE delivery_id = ANY (ARRAY(
  SELECT delivery_id FROM closed_deliveries WHERE env_no = ANY ($1::int[])
  ORDER BY env_no, delivery_id LIMIT $2::int))
