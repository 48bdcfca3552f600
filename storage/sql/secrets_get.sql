-- One version of a secret: $1 endpoint_id $2 version.
SELECT version, scheme, key_id, nonce, sealed, create_time, expire_time
FROM endpoint_secrets WHERE endpoint_id = $1::uuid AND version = $2::int
