-- Idempotency keys of environments $1, at most $2. The windows are few and looked up one by one.
WITH RECURSIVE windows(start) AS (
  SELECT min(window_start) FROM idempotency_keys
  UNION ALL
  SELECT (SELECT min(k.window_start) FROM idempotency_keys k WHERE k.window_start > w.start)
  FROM windows w WHERE w.start IS NOT NULL
), picked AS MATERIALIZED (
  SELECT k.window_start, k.env_no, k.key
  FROM windows w
  CROSS JOIN unnest($1::int[]) AS e(env_no)
  CROSS JOIN LATERAL (SELECT window_start, env_no, key FROM idempotency_keys k
                      WHERE k.window_start = w.start AND k.env_no = e.env_no
                      LIMIT $2::int) AS k
  LIMIT $2::int
)
DELETE FROM idempotency_keys k USING picked p
WHERE k.window_start = p.window_start AND k.env_no = p.env_no AND k.key = p.key
