-- When keys were last used: $1 ids $2 times, each id once. In the order of ids, so that two servers
-- never wait for each other in a circle.
INSERT INTO api_key_uses (key_id, last_use_time)
SELECT u.key_id, u.last_use_time
FROM unnest($1::uuid[], $2::timestamptz[]) AS u (key_id, last_use_time)
WHERE EXISTS (SELECT FROM api_keys k WHERE k.key_id = u.key_id)
ORDER BY u.key_id
ON CONFLICT (key_id) DO UPDATE SET last_use_time = excluded.last_use_time
WHERE api_key_uses.last_use_time < excluded.last_use_time
