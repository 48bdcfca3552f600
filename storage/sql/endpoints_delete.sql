-- Marks a locked endpoint as deleted; secrets, header values and subscriptions go at
-- once.
WITH endpoint AS (
  UPDATE endpoints SET delete_time = now(), update_time = now(), headers_key_id = NULL, headers_nonce = NULL,
                       headers_sealed = NULL
  WHERE endpoint_id = $1::uuid RETURNING endpoint_id
), state AS (
  UPDATE endpoint_states SET state = 3 WHERE endpoint_id = $1::uuid
), subscription AS (
  DELETE FROM subscriptions WHERE endpoint_id = $1::uuid
), secret AS (
  DELETE FROM endpoint_secrets WHERE endpoint_id = $1::uuid
)
INSERT INTO endpoint_changes (endpoint_id, kind) SELECT endpoint_id, 5 FROM endpoint
