-- Endpoints as people see them, newest first. $1 org_id or '' $2 env_id or '' $3 state or 0
-- $4 before this id $5 rows.
SELECT p.endpoint_id, v.org_id, v.env_id, p.url, p.events, p.description, p.header_names,
       p.headers_key_id, p.headers_nonce, p.headers_sealed, p.retry_schedule_ms,
       p.retries_disabled, p.disable_threshold, p.timeout_ms, p.max_in_flight,
       p.rate_limit_per_second, p.ordered, p.metadata_keys, p.metadata_values,
       p.signature_scheme, p.public_key, p.secret_hint, p.revision, p.create_time, p.update_time,
       s.state, s.disabled_reason, s.disable_time, s.consecutive_failures
FROM endpoints p
JOIN environments v USING (env_no)
JOIN endpoint_states s USING (endpoint_id)
WHERE p.delete_time IS NULL
  AND ($1 = '' OR v.org_id = $1) AND ($2 = '' OR v.env_id = $2)
  AND ($3::int = 0 OR s.state = $3::int)
  AND p.endpoint_id < $4::uuid
ORDER BY p.endpoint_id DESC LIMIT $5::int
