-- The first half of a group commit: which keys are taken, and which endpoints are to get what. It writes
-- nothing. Arrays, one element a key: $1 env_no $2 idempotency key. Arrays, one element for each type of
-- an environment: $3 env_no $4 the patterns that match the type, separated by spaces. $5 idempotency
-- window, seconds.
-- Rows, by kind: 0, one: the windows that keys are put into now (item tells whether it is both), so
-- that the second half goes by the same clock; 1: a key that is taken; 2: an endpoint of a type (count tells
-- whether it is ordered).
-- Everything is looked up row by row with LATERAL, so no plan depends on table sizes.
WITH clock AS MATERIALIZED (
  SELECT to_timestamp(floor(e / w) * w) AS this_window,
         to_timestamp((floor(e / w) - 1) * w) AS last_window,
         now() - make_interval(secs => w) AS oldest,
         -- Two transactions on both sides of a window's end see neither the other's row nor a
         -- conflict. So early in a window a key is also put into the window before.
         e - floor(e / w) * w < least(60, w / 24) AS young
  FROM (SELECT extract(epoch FROM now())::float8 AS e, $5::float8 AS w) AS x
)
SELECT 0 AS kind, young::int::bigint AS item, NULL::uuid AS id, this_window AS time,
       last_window AS other_time, 0 AS count, NULL::bytea AS digest
FROM clock
UNION ALL
SELECT 1, i.item, k.event_id, k.create_time, k.given_event_time, k.delivery_count, k.content_digest
FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS i(env_no, key, item)
CROSS JOIN LATERAL (
  -- One of this window holds whatever its time: a node's clock may have been a little behind when
  -- the window began, and the key cannot be put here again.
  (SELECT * FROM idempotency_keys k
   WHERE k.window_start = (SELECT this_window FROM clock) AND k.env_no = i.env_no AND k.key = i.key)
  UNION ALL
  (SELECT * FROM idempotency_keys k
   WHERE k.window_start = (SELECT last_window FROM clock) AND k.env_no = i.env_no AND k.key = i.key
     AND (k.create_time > (SELECT oldest FROM clock) OR (SELECT young FROM clock)))
  LIMIT 1
) AS k
UNION ALL
SELECT 2, t.item, s.endpoint_id, NULL, NULL, e.ordered::int, NULL
FROM unnest($3::int[], $4::text[]) WITH ORDINALITY AS t(env_no, patterns, item)
CROSS JOIN unnest(string_to_array(t.patterns, ' ')) AS p(pattern)
CROSS JOIN LATERAL (SELECT endpoint_id FROM subscriptions s
                    WHERE s.env_no = t.env_no AND s.pattern = p.pattern OFFSET 0) AS s
CROSS JOIN LATERAL (SELECT e.ordered FROM endpoint_states e
                    WHERE e.endpoint_id = s.endpoint_id AND e.state = 1 OFFSET 0) AS e
