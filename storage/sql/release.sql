-- Gives back leases whose attempts were not started: $1 delivery_ids $2 lease_tokens. They stay due.
-- coalesce keeps the index of all leased rows out, which costs nothing only while that is empty.
UPDATE open_deliveries o SET lease_node = NULL, lease_expire_time = NULL
FROM unnest($1::uuid[], $2::bigint[]) AS i(delivery_id, lease_token)
WHERE o.delivery_id = i.delivery_id AND o.lease_token = i.lease_token
  AND coalesce(o.lease_node, 0) <> 0
