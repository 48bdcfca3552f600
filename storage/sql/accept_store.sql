-- The second half of a group commit: stores what accept_look.sql found to be new, in one transaction.
-- Everything comes ready from its parameters, so no row passes through a set on its way into a table.
-- A key that somebody took meanwhile is a unique violation, and nothing is stored.
-- Arrays, one element a key and window, sorted, so that two nodes never wait for each other:
--   $1 window_start  $2 env_no  $3 key  $4 event_id  $5 content digest  $6 event_time as given, or null
--   $7 delivery_count  $8 create_time
-- Arrays, one element an event:
--   $9 event_id  $10 env_no  $11 type  $12 event_time  $13 create_time  $14 delivery_count
--   $15 idempotency key or null  $16 traceparent or null  $17 body
-- Arrays, one element a delivery:
--   $18 delivery_id  $19 event_id  $20 endpoint_id  $21 env_no  $22 type  $23 create_time
--   $24 the node it is leased to, or null: it is left to be claimed
--   $25 the event's place in the batch where the endpoint is ordered, or null
-- and $26 lease duration, seconds. Answer: the lease token, negative: only the lease that a delivery is
-- stored with has such a one (release_untold.sql). A sequence is made of it: who publishes when another's
-- event is stored has a greater one, on every node, and nobody waits for anybody's turn.
-- What is to be claimed is due at once, also when the node's clock is a little ahead of this one.
WITH position AS MATERIALIZED (
  SELECT pg_current_xact_id()::text::bigint AS xid, -nextval('lease_tokens') AS token,
         now() + make_interval(secs => $26::float8) AS expires
), keys AS (
  INSERT INTO idempotency_keys (window_start, env_no, key, event_id, content_digest,
                                given_event_time, delivery_count, create_time)
  SELECT * FROM unnest($1::timestamptz[], $2::int[], $3::text[], $4::uuid[], $5::bytea[],
                       $6::timestamptz[], $7::int[], $8::timestamptz[])
), stored AS (
  INSERT INTO events (event_id, env_no, type, event_time, create_time, delivery_count,
                      idempotency_key, traceparent, body, commit_xid)
  SELECT e.*, (SELECT xid FROM position)
  FROM unnest($9::uuid[], $10::int[], $11::text[], $12::timestamptz[], $13::timestamptz[],
              $14::int[], $15::text[], $16::text[], $17::bytea[]) AS e
), fan_out AS (
  INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, create_time,
                               lease_node, sequence, origin, next_attempt_time, lease_token,
                               lease_expire_time)
  SELECT d.delivery_id, d.event_id, d.endpoint_id, d.env_no, d.type, d.create_time, d.lease_node,
         (SELECT -token FROM position) << 16 | d.place, 1, least(d.create_time, now()),
         (SELECT token FROM position), (SELECT expires FROM position)
  FROM unnest($18::uuid[], $19::uuid[], $20::uuid[], $21::int[], $22::text[], $23::timestamptz[],
              $24::int[], $25::int[])
       AS d(delivery_id, event_id, endpoint_id, env_no, type, create_time, lease_node, place)
)
SELECT token FROM position
