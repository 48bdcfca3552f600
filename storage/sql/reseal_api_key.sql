-- The same answer of CreateApiKey under another key: parameters as in reseal_secret.
UPDATE api_key_requests SET sealed_under = $4, nonce = $5, sealed = $6
WHERE key_id = $1::uuid AND $2::int IS NOT NULL AND nonce = $3
