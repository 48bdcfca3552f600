-- Which of these deliveries are still leased under these tokens: what the recorder asks after PR001.
-- coalesce keeps the index of all leased rows out, which costs nothing only while that is empty.
SELECT i.delivery_id, i.lease_token
FROM unnest($1::uuid[], $2::bigint[]) AS i(delivery_id, lease_token)
CROSS JOIN LATERAL (SELECT FROM open_deliveries o
                    WHERE o.delivery_id = i.delivery_id AND o.lease_token = i.lease_token
                      AND coalesce(o.lease_node, 0) <> 0 OFFSET 0) AS o
