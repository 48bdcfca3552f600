-- Stores a changed configuration: the row is locked already (endpoints_lock).
WITH endpoint AS (
  UPDATE endpoints
  SET url = $2, events = $3::text[], description = $4, header_names = $5::text[],
      headers_key_id = $6, headers_nonce = $7, headers_sealed = $8,
      retry_schedule_ms = $9::bigint[], retries_disabled = $10::bool, disable_threshold = $11::int,
      timeout_ms = $12::int, max_in_flight = $13::int, rate_limit_per_second = $14::float8,
      ordered = $15::bool, metadata_keys = $16::text[], metadata_values = $17::text[],
      revision = revision + 1, update_time = now()
  WHERE endpoint_id = $1::uuid
  RETURNING endpoint_id
), state AS (
  UPDATE endpoint_states SET ordered = $15::bool
  WHERE endpoint_id = $1::uuid AND ordered <> $15::bool
)
INSERT INTO endpoint_changes (endpoint_id, kind) SELECT endpoint_id, 2 FROM endpoint
