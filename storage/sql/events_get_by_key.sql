-- The latest event that was accepted under a key: $1 org_id $2 env_id $3 key. The windows that there
-- are, each found with one probe, and the key in each: there is no index by key alone.
WITH RECURSIVE windows AS (
  (SELECT window_start FROM idempotency_keys ORDER BY window_start DESC LIMIT 1)
  UNION ALL
  SELECT (SELECT k.window_start FROM idempotency_keys k WHERE k.window_start < w.window_start
          ORDER BY k.window_start DESC LIMIT 1)
  FROM windows w WHERE w.window_start IS NOT NULL
)
SELECT k.event_id, k.create_time, k.delivery_count, k.content_digest, k.given_event_time
FROM environments v
CROSS JOIN windows w
CROSS JOIN LATERAL (SELECT * FROM idempotency_keys k
                    WHERE k.window_start = w.window_start AND k.env_no = v.env_no AND k.key = $3
                    OFFSET 0) AS k
WHERE v.org_id = $1 AND v.env_id = $2
ORDER BY k.create_time DESC LIMIT 1
