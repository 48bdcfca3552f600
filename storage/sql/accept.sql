-- Group commit: stores events and their deliveries, or says per event why not. One statement, one
-- transaction, one round trip. Parameters are arrays, one element an event:
--   $1 event_id  $2 env_no  $3 type  $4 event_time  $5 create_time  $6 idempotency key or null
--   $7 traceparent or null  $8 body  $9 content digest  $10 event_time as given, or null
--   $11 patterns that match the type, separated by spaces  $12 number of its all-or-nothing batch
-- and scalars: $13 idempotency window, seconds  $14 this node, 0 to lease nothing  $15 lease duration, seconds
--   $16 endpoints whose queue on this node is full: their deliveries are left to be claimed
--   $17 most deliveries that the statement may make: beyond it everything is given back (PR002).
-- Rows: one a delivery (status 0), and one an event that was not stored (status 2 duplicate,
-- 3 conflict, 4 refused with its batch, 5 lost a race for its key: run again). An event without a
-- row was stored and matched nothing.
-- Everything is looked up row by row with LATERAL, so no plan depends on table sizes.
WITH clock AS MATERIALIZED (
  SELECT to_timestamp(floor(e / w) * w) AS this_window,
         to_timestamp((floor(e / w) - 1) * w) AS last_window,
         now() - make_interval(secs => w) AS oldest,
         -- Two transactions on both sides of a window's end see neither the other's row nor a
         -- conflict. So early in a window a key is also put into the window before.
         e - floor(e / w) * w < least(60, w / 24) AS young
  FROM (SELECT extract(epoch FROM now())::float8 AS e, $13::float8 AS w) AS x
), looked AS MATERIALIZED (
  SELECT i.*, k.event_id AS known_id, k.create_time AS known_create_time,
         k.delivery_count AS known_count,
         k.content_digest IN (i.digest, '')  -- empty: the payload was erased, any is the same
           AND coalesce(k.given_event_time = i.given_event_time, true) AS known_same
  FROM unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[],
              $7::text[], $8::bytea[], $9::bytea[], $10::timestamptz[], $11::text[], $12::int[])
       WITH ORDINALITY
       AS i(event_id, env_no, type, event_time, create_time, key, traceparent, body, digest,
            given_event_time, patterns, batch, item)
  LEFT JOIN LATERAL (
    SELECT * FROM idempotency_keys k
    WHERE k.window_start = ANY (ARRAY[(SELECT this_window FROM clock),
                                      (SELECT last_window FROM clock)])
      AND k.env_no = i.env_no AND k.key = i.key
      -- One of this window holds whatever its time: a node's clock may have been a little behind
      -- when the window began, and the key cannot be put here again.
      AND (k.create_time > (SELECT oldest FROM clock) OR (SELECT young FROM clock)
           OR k.window_start = (SELECT this_window FROM clock))
    ORDER BY k.window_start DESC LIMIT 1
  ) AS k ON i.key IS NOT NULL
), wanted AS MATERIALIZED (
  SELECT l.*, coalesce(m.endpoint_ids, '{}') AS endpoint_ids
  FROM looked l
  LEFT JOIN LATERAL (
    SELECT array_agg(s.endpoint_id) AS endpoint_ids
    FROM unnest(string_to_array(l.patterns, ' ')) AS p(pattern)
    CROSS JOIN LATERAL (SELECT endpoint_id FROM subscriptions s
                        WHERE s.env_no = l.env_no AND s.pattern = p.pattern OFFSET 0) AS s
    CROSS JOIN LATERAL (SELECT FROM endpoint_states e
                        WHERE e.endpoint_id = s.endpoint_id AND e.state = 1 OFFSET 0) AS e
  ) AS m ON true
  WHERE l.known_id IS NULL
    AND (l.batch IN (SELECT batch FROM looked WHERE NOT known_same)) IS NOT TRUE
), keys AS (
  INSERT INTO idempotency_keys (window_start, env_no, key, event_id, content_digest,
                                given_event_time, delivery_count, create_time)
  SELECT c.this_window, w.env_no, w.key, w.event_id, w.digest, w.given_event_time,
         cardinality(w.endpoint_ids), w.create_time
  FROM wanted w, clock c WHERE w.key IS NOT NULL
  ORDER BY w.env_no, w.key
  ON CONFLICT DO NOTHING RETURNING event_id
), guards AS (
  INSERT INTO idempotency_keys (window_start, env_no, key, event_id, content_digest,
                                given_event_time, delivery_count, create_time)
  SELECT c.last_window, w.env_no, w.key, w.event_id, w.digest, w.given_event_time,
         cardinality(w.endpoint_ids), w.create_time
  FROM wanted w, clock c WHERE w.key IS NOT NULL AND c.young
  ORDER BY w.env_no, w.key
  ON CONFLICT DO NOTHING RETURNING event_id
), bounded AS MATERIALIZED (
  SELECT expect(coalesce(sum(cardinality(endpoint_ids)), 0) <= $17::bigint,
                'too many deliveries for one transaction', 'PR002') AS holds
  FROM wanted
), accepted AS MATERIALIZED (
  SELECT * FROM wanted w
  WHERE (w.key IS NULL OR w.event_id IN (SELECT event_id FROM keys))
    AND (SELECT holds FROM bounded)
), position AS MATERIALIZED (
  SELECT pg_current_xact_id()::text::bigint AS xid, nextval('lease_tokens') AS token,
         now() + make_interval(secs => $15::float8) AS expires
), stored AS (
  INSERT INTO events (event_id, env_no, type, event_time, create_time, delivery_count,
                      idempotency_key, traceparent, body, commit_xid)
  SELECT a.event_id, a.env_no, a.type, a.event_time, a.create_time, cardinality(a.endpoint_ids),
         a.key, a.traceparent, a.body, p.xid
  FROM accepted a, position p
), fan_out AS (
  INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                               create_time, next_attempt_time, lease_node, lease_token,
                               lease_expire_time)
  SELECT (substr(a.event_id::text, 1, 13) || substr(gen_random_uuid()::text, 14))::uuid,
         a.event_id, endpoint_id, a.env_no, a.type, 1, a.create_time, a.create_time,
         CASE WHEN $14::int <> 0 AND (endpoint_id = ANY ($16::uuid[])) IS NOT TRUE
              THEN $14::int END, p.token, p.expires
  FROM accepted a, unnest(a.endpoint_ids) AS endpoint_id, position p
  RETURNING delivery_id, event_id, endpoint_id, lease_node, lease_token
)
SELECT 0::int AS status, 0::bigint AS item, event_id, NULL::timestamptz AS create_time,
       0 AS delivery_count, delivery_id, endpoint_id, lease_node IS NOT NULL AS leased, lease_token
FROM fan_out
UNION ALL
SELECT CASE WHEN l.known_same THEN 2 WHEN NOT l.known_same THEN 3
            WHEN l.batch IN (SELECT batch FROM looked WHERE NOT known_same) THEN 4 ELSE 5 END,
       l.item, coalesce(l.known_id, l.event_id), l.known_create_time, coalesce(l.known_count, 0),
       NULL, NULL, false, 0
FROM looked l
WHERE l.event_id NOT IN (SELECT event_id FROM accepted)
UNION ALL
SELECT 0, 0, NULL, NULL, 0, NULL, NULL, false, 0
WHERE NOT expect(
  -- A key taken in one window but not in its guard, or only a part of a batch taken: give all back.
  ((SELECT young FROM clock) IS NOT TRUE
    OR (SELECT count(*) FROM keys WHERE event_id NOT IN (SELECT event_id FROM guards)) = 0)
  AND NOT EXISTS (
    SELECT FROM wanted w
    WHERE w.batch IN (SELECT batch FROM wanted GROUP BY batch HAVING count(*) > 1)
      AND w.key IS NOT NULL AND w.event_id NOT IN (SELECT event_id FROM keys)),
  'idempotency key taken at the same moment')
