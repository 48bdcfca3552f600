-- The same headers under another key: parameters as in reseal_secret.
UPDATE endpoints SET headers_key_id = $4, headers_nonce = $5, headers_sealed = $6
WHERE endpoint_id = $1::uuid AND $2::int IS NOT NULL AND headers_nonce = $3
