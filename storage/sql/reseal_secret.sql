-- The same secret under another key: $1 endpoint_id $2 version $3 its nonce as read $4 key_id $5 nonce
-- $6 sealed. Nothing happens when it is no longer as it was read. The nodes need not know: what they
-- opened stays what it is.
UPDATE endpoint_secrets SET key_id = $4, nonce = $5, sealed = $6
WHERE endpoint_id = $1::uuid AND version = $2::int AND nonce = $3
