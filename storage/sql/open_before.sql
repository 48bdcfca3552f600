-- Whether a delivery created before $1 is still open.
SELECT EXISTS (SELECT FROM open_deliveries WHERE delivery_id < ulid_floor($1::timestamptz))
