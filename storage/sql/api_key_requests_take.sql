-- Notes what CreateApiKey answers under this request_id: $1 caller $2 request_id $3 digest $4 key
-- $5 sealed_under $6 nonce $7 sealed. No row: somebody has it (api_key_requests_get). Waits for a
-- call in progress.
INSERT INTO api_key_requests (caller, request_id, digest, key_id, sealed_under, nonce, sealed)
VALUES ($1, $2, $3, $4::uuid, $5, $6, $7)
ON CONFLICT (caller, request_id) DO UPDATE
SET digest = excluded.digest, key_id = excluded.key_id, sealed_under = excluded.sealed_under,
    nonce = excluded.nonce, sealed = excluded.sealed, create_time = now()
WHERE api_key_requests.create_time < now() - interval '24 hours'
RETURNING key_id
