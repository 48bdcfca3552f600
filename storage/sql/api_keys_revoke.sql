-- Revokes $1 for good. The answer that could be asked for again goes at once. No row: there is no
-- such key, or it is revoked.
WITH revoked AS (
  UPDATE api_keys SET revoke_time = now(), commit_xid = pg_current_xact_id()::text::bigint
  WHERE key_id = $1::uuid AND revoke_time IS NULL
  RETURNING key_id
), forgotten AS (
  DELETE FROM api_key_requests USING revoked WHERE api_key_requests.key_id = revoked.key_id
)
SELECT key_id FROM revoked
