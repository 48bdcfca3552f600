-- Endpoints with their state and unexpired secrets for the delivery path: $1 ids. Columns as in
-- endpoints_list, then a secret: one row each, newest first. A deleted endpoint has none.
SELECT p.endpoint_id, v.org_id, v.env_id, p.url, p.events, p.description, p.header_names,
       p.headers_key_id, p.headers_nonce, p.headers_sealed, p.retry_schedule_ms,
       p.retries_disabled, p.disable_threshold, p.timeout_ms, p.max_in_flight,
       p.rate_limit_per_second, p.ordered, p.metadata_keys, p.metadata_values,
       p.signature_scheme, p.public_key, p.secret_hint, p.revision, p.create_time, p.update_time,
       s.state, s.disabled_reason, s.disable_time, s.consecutive_failures,
       x.version, x.scheme, x.key_id, x.nonce, x.sealed, x.create_time, x.expire_time
FROM unnest($1::uuid[]) AS i(endpoint_id)
CROSS JOIN LATERAL (SELECT * FROM endpoints p WHERE p.endpoint_id = i.endpoint_id OFFSET 0) AS p
CROSS JOIN LATERAL (SELECT * FROM environments v WHERE v.env_no = p.env_no OFFSET 0) AS v
CROSS JOIN LATERAL (SELECT * FROM endpoint_states s
                    WHERE s.endpoint_id = i.endpoint_id OFFSET 0) AS s
LEFT JOIN LATERAL (SELECT * FROM endpoint_secrets x
                    WHERE x.endpoint_id = i.endpoint_id
                      AND (x.expire_time IS NULL OR x.expire_time > now())
                    ORDER BY x.version DESC LIMIT 3) AS x ON true
