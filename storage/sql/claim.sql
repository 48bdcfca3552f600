-- Leases due deliveries to this node, so many an endpoint: $1 endpoint_ids $2 counts
-- $3 node_no $4 lease duration, seconds. The rows come back with the event's body (null when it
-- was erased). SKIP LOCKED: two nodes never wait for each other.
WITH position AS MATERIALIZED (
  SELECT nextval('lease_tokens') AS token, now() + make_interval(secs => $4::float8) AS expires
), picked AS MATERIALIZED (
  SELECT d.delivery_id
  FROM unnest($1::uuid[], $2::int[]) AS w(endpoint_id, count)
  CROSS JOIN LATERAL (
    SELECT o.delivery_id FROM open_deliveries o
    WHERE o.endpoint_id = w.endpoint_id AND o.lease_node IS NULL AND o.next_attempt_time <= now()
    ORDER BY o.next_attempt_time LIMIT w.count
    FOR UPDATE SKIP LOCKED) AS d
), claimed AS (
  UPDATE open_deliveries o
  SET lease_node = $3::int, lease_token = p.token, lease_expire_time = p.expires
  FROM picked, position p
  WHERE o.delivery_id = picked.delivery_id AND o.lease_node IS NULL
  RETURNING o.delivery_id, o.event_id, o.endpoint_id, o.origin, o.attempt_count, o.failure_count,
            o.lost_claims, o.lease_token
)
SELECT c.*, e.body
FROM claimed c
LEFT JOIN LATERAL (SELECT body FROM events e WHERE e.event_id = c.event_id OFFSET 0) AS e ON true
