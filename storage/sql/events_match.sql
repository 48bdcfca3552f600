-- Enabled endpoints that would get an event: $1 org_id $2 env_id $3 patterns that match its type.
SELECT s.endpoint_id
FROM environments v
JOIN subscriptions s ON s.env_no = v.env_no AND s.pattern = ANY ($3::text[])
JOIN endpoint_states e ON e.endpoint_id = s.endpoint_id AND e.state = 1
WHERE v.org_id = $1 AND v.env_id = $2
ORDER BY s.endpoint_id
