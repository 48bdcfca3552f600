-- One endpoint that is not deleted, locked for a change: $1 id. Columns as in endpoints_list.
-- The state first: record.sql, too, writes that before the endpoint, and so the two never deadlock.
SELECT p.endpoint_id, v.org_id, v.env_id, p.url, p.events, p.description, p.header_names,
       p.headers_key_id, p.headers_nonce, p.headers_sealed, p.retry_schedule_ms,
       p.retries_disabled, p.disable_threshold, p.timeout_ms, p.max_in_flight,
       p.rate_limit_per_second, p.ordered, p.metadata_keys, p.metadata_values,
       p.signature_scheme, p.public_key, p.secret_hint, p.revision, p.create_time, p.update_time,
       s.state, s.disabled_reason, s.disable_time, s.consecutive_failures, p.env_no
FROM endpoints p
JOIN environments v USING (env_no)
JOIN endpoint_states s USING (endpoint_id)
WHERE p.delete_time IS NULL AND p.endpoint_id = $1::uuid
FOR UPDATE OF s, p
