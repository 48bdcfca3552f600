-- The latest event that was accepted under a key: $1 org_id $2 env_id $3 key.
SELECT k.event_id, k.create_time, k.delivery_count, k.content_digest, k.given_event_time
FROM idempotency_keys k JOIN environments v USING (env_no)
WHERE v.org_id = $1 AND v.env_id = $2 AND k.key = $3
ORDER BY k.create_time DESC LIMIT 1
