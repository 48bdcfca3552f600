-- Leases due deliveries to this node, so many an endpoint: $1 endpoint_ids $2 counts
-- $3 node_no $4 lease duration, seconds. The rows come back with the event's body (null when it
-- was erased). SKIP LOCKED: two nodes never wait for each other. What is picked is locked and without
-- a lease. Asking for that again would bring in the index of all that waits, which costs nothing only
-- while that is empty.
-- Suspects (two nodes died while they had the delivery) are leased one at a time: none while this
-- node has one, and one at most in all. So when the node dies again, it is known which one it had.
WITH position AS MATERIALIZED (
  SELECT nextval('lease_tokens') AS token, now() + make_interval(secs => $4::float8) AS expires
), picked AS MATERIALIZED (
  SELECT d.place
  FROM unnest($1::uuid[], $2::int[]) AS w(endpoint_id, count)
  CROSS JOIN LATERAL (
    SELECT o.ctid AS place FROM open_deliveries o
    WHERE o.endpoint_id = w.endpoint_id AND o.lease_node IS NULL AND o.next_attempt_time <= now()
      AND o.lost_claims < 2
    ORDER BY o.next_attempt_time LIMIT w.count
    FOR UPDATE SKIP LOCKED) AS d
), suspect AS MATERIALIZED (
  -- Written so that no index but that of the suspects can be used.
  SELECT o.ctid AS place FROM open_deliveries o
  WHERE o.lost_claims >= 2 AND coalesce(o.lease_node, 0) = 0
    AND (o.endpoint_id = ANY ($1::uuid[])) IS TRUE AND o.next_attempt_time <= now()
    AND NOT EXISTS (SELECT FROM open_deliveries s
                    WHERE s.lost_claims >= 2 AND coalesce(s.lease_node, 0) = $3::int)
  LIMIT 1 FOR UPDATE OF o SKIP LOCKED
), claimed AS (
  UPDATE open_deliveries o
  SET lease_node = $3::int, lease_token = p.token, lease_expire_time = p.expires
  FROM (SELECT * FROM picked UNION ALL SELECT * FROM suspect) AS d, position p
  WHERE o.ctid = d.place  -- see record.sql
  RETURNING o.delivery_id, o.event_id, o.endpoint_id, o.origin, o.attempt_count, o.failure_count,
            o.lease_token
)
SELECT c.*, e.body
FROM claimed c
LEFT JOIN LATERAL (SELECT body FROM events e WHERE e.event_id = c.event_id OFFSET 0) AS e ON true
