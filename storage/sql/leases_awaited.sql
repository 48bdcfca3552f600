-- Of leases that are held no more ($1 delivery_ids $2 lease_tokens), those whose outcome is awaited: an
-- ABANDONED row has their token, or a delivery that was closed under them. The others were recorded.
SELECT i.delivery_id, i.lease_token
FROM unnest($1::uuid[], $2::bigint[]) AS i(delivery_id, lease_token)
CROSS JOIN LATERAL (
  SELECT FROM (SELECT 1 FROM attempts a
               WHERE a.delivery_id = i.delivery_id AND a.lease_token = i.lease_token
                 AND a.outcome + 0 = 8  -- keeps the index of all failed attempts out
               UNION ALL
               SELECT 1 FROM closed_deliveries c
               WHERE c.delivery_id = i.delivery_id AND c.lease_token = i.lease_token) AS w
  LIMIT 1) AS w
