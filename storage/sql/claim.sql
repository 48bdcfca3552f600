-- Leases due deliveries to this node, so many an endpoint: $1 endpoint_ids $2 counts $3 whether the
-- endpoint is ordered $4 node_no $5 lease duration, seconds. The rows come back with the event's body
-- (null when it was erased). SKIP LOCKED: two nodes never wait for each other. What is picked is locked and
-- without a lease. Asking for that again would bring in the index of all that waits, which costs nothing
-- only while that is empty.
-- What has a sequence goes one at a time: the head of its endpoint's queue, when it is due and nothing
-- of the queue is under way, and of an ordered endpoint when there is nothing without a sequence, which was
-- accepted before. The head is found first and locked then: a search that skips locked rows would give
-- the one behind it.
-- Suspects (two nodes died while they had the delivery) are leased one at a time: none while this
-- node has one, and one at most in all. So when the node dies again, it is known which one it had.
WITH position AS MATERIALIZED (
  SELECT nextval('lease_tokens') AS token, now() + make_interval(secs => $5::float8) AS expires
), picked AS MATERIALIZED (
  SELECT w.endpoint_id, d.place
  FROM unnest($1::uuid[], $2::int[]) AS w(endpoint_id, count)
  CROSS JOIN LATERAL (
    SELECT o.ctid AS place FROM open_deliveries o
    WHERE o.endpoint_id = w.endpoint_id AND o.lease_node IS NULL AND o.sequence IS NULL
      AND o.next_attempt_time <= now() AND o.lost_claims < 2
    ORDER BY o.next_attempt_time LIMIT w.count
    FOR UPDATE SKIP LOCKED) AS d
), head AS MATERIALIZED (
  SELECT h.place, h.lost_claims
  FROM unnest($1::uuid[], $3::bool[]) AS w(endpoint_id, ordered)
  CROSS JOIN LATERAL (
    SELECT o.ctid AS place, o.lost_claims, o.lease_node, o.next_attempt_time
    FROM open_deliveries o
    WHERE o.endpoint_id = w.endpoint_id AND o.sequence IS NOT NULL
    ORDER BY (o.lease_node IS NULL), o.sequence LIMIT 1) AS h
  WHERE h.lease_node IS NULL AND h.next_attempt_time <= now()
    AND NOT (w.ordered AND EXISTS (SELECT FROM picked p WHERE p.endpoint_id = w.endpoint_id))
), suspect AS MATERIALIZED (
  -- Written so that no index but that of the suspects can be used.
  SELECT o.ctid AS place FROM open_deliveries o
  WHERE o.lost_claims >= 2 AND coalesce(o.lease_node, 0) = 0 AND o.sequence IS NULL
    AND (o.endpoint_id = ANY ($1::uuid[])) IS TRUE AND o.next_attempt_time <= now()
    AND NOT EXISTS (SELECT FROM open_deliveries s
                    WHERE s.lost_claims >= 2 AND coalesce(s.lease_node, 0) = $4::int)
  LIMIT 1 FOR UPDATE OF o SKIP LOCKED
), suspect_head AS MATERIALIZED (
  SELECT h.place FROM head h
  WHERE h.lost_claims >= 2 AND NOT EXISTS (SELECT FROM suspect)
    AND NOT EXISTS (SELECT FROM open_deliveries s
                    WHERE s.lost_claims >= 2 AND coalesce(s.lease_node, 0) = $4::int)
  LIMIT 1
), in_turn AS MATERIALIZED (
  SELECT l.place
  FROM (SELECT place FROM head WHERE lost_claims < 2 UNION ALL SELECT place FROM suspect_head) AS h
  CROSS JOIN LATERAL (
    SELECT o.ctid AS place FROM open_deliveries o
    WHERE o.ctid = h.place AND coalesce(o.lease_node, 0) = 0 AND o.next_attempt_time <= now()
    FOR UPDATE SKIP LOCKED) AS l
), claimed AS (
  UPDATE open_deliveries o
  SET lease_node = $4::int, lease_token = p.token, lease_expire_time = p.expires
  FROM (SELECT place FROM picked UNION ALL SELECT place FROM suspect
        UNION ALL SELECT place FROM in_turn) AS d, position p
  WHERE o.ctid = d.place  -- see record.sql
  RETURNING o.delivery_id, o.event_id, o.endpoint_id, o.origin, o.attempt_count, o.failure_count,
            o.lease_token, o.sequence IS NOT NULL AS in_order
)
SELECT c.*, e.body
FROM claimed c
LEFT JOIN LATERAL (SELECT body FROM events e WHERE e.event_id = c.event_id OFFSET 0) AS e ON true
