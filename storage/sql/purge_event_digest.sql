-- Forgets what the payload of event $1 looked like: the digest under its idempotency key. The key
-- stays until its window ends, or a publisher's retry would bring the payload back: to an empty
-- digest every content is the same (accept_look.sql). The windows that hold keys of that time are few,
-- and are looked up one by one, whatever their length was then (24 h at most).
WITH RECURSIVE event AS MATERIALIZED (
  SELECT env_no, idempotency_key AS key, create_time FROM events
  WHERE event_id = $1::uuid AND idempotency_key IS NOT NULL
), windows(start) AS (
  SELECT (SELECT min(k.window_start) FROM idempotency_keys k
          WHERE k.window_start >= e.create_time - interval '49 hours')
  FROM event e
  UNION ALL
  SELECT (SELECT min(k.window_start) FROM idempotency_keys k WHERE k.window_start > w.start)
  FROM windows w WHERE w.start < (SELECT create_time FROM event) + interval '1 hour'
)
UPDATE idempotency_keys k SET content_digest = ''
FROM event e, windows w
WHERE k.window_start = w.start AND k.env_no = e.env_no AND k.key = e.key AND k.event_id = $1::uuid
