-- What CreateApiKey answered: $1 caller $2 request_id.
SELECT digest, key_id, sealed_under, nonce, sealed FROM api_key_requests
WHERE caller = $1 AND request_id = $2
