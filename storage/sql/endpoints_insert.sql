-- A new endpoint with its state, first secret and history. Subscriptions follow (subscribe.sql).
-- Refused with PR001 when the environment has $26 endpoints.
WITH room AS (
  SELECT expect((SELECT count(*) FROM endpoints WHERE env_no = $2::int AND delete_time IS NULL)
                < $26::bigint, 'too many endpoints') AS holds
), endpoint AS (
  INSERT INTO endpoints (endpoint_id, env_no, url, events, description, header_names,
                         headers_key_id, headers_nonce, headers_sealed, retry_schedule_ms,
                         retries_disabled, disable_threshold, timeout_ms, max_in_flight,
                         rate_limit_per_second, ordered, metadata_keys, metadata_values,
                         signature_scheme, public_key, secret_hint)
  SELECT $1::uuid, $2::int, $3, $4::text[], $5, $6::text[], $7, $8, $9, $10::bigint[], $11::bool,
         $12::int, $13::int, $14::int, $15::float8, $16::bool, $17::text[], $18::text[], $19::int,
         $20, $21
  FROM room WHERE holds
  RETURNING endpoint_id
), state AS (
  INSERT INTO endpoint_states (endpoint_id, ordered) SELECT endpoint_id, $16::bool FROM endpoint
), secret AS (
  INSERT INTO endpoint_secrets (endpoint_id, version, scheme, key_id, nonce, sealed)
  SELECT endpoint_id, $22::int, $19::int, $23, $24, $25 FROM endpoint
), change AS (
  INSERT INTO endpoint_changes (endpoint_id, kind) SELECT endpoint_id, 1 FROM endpoint
)
SELECT endpoint_id FROM endpoint
