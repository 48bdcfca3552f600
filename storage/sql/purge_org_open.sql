-- Deliveries of environments $1 that are not over, at most $2. An attempt in flight finds its row
-- gone and is not logged. The order is that of the environments' index: by id alone, everybody's would be read.
DELETE FROM open_deliveries WHERE delivery_id = ANY (ARRAY(
  SELECT delivery_id FROM open_deliveries WHERE env_no = ANY ($1::int[])
  ORDER BY env_no, delivery_id LIMIT $2::int FOR UPDATE))
