-- Keys of the org $1: revoked, so that every server hears of it, and without what they said. The rows
-- go with those of other revoked keys (sweep_callers.sql). Answer: how many.
WITH purged AS (
  UPDATE api_keys SET revoke_time = coalesce(revoke_time, now()), description = '',
         certificate_san = NULL, secret_digest = '', commit_xid = pg_current_xact_id()::text::bigint
  WHERE org_id = $1 AND secret_digest <> ''
  RETURNING key_id
), requests AS (
  DELETE FROM api_key_requests USING purged WHERE api_key_requests.key_id = purged.key_id
), uses AS (
  DELETE FROM api_key_uses USING purged WHERE api_key_uses.key_id = purged.key_id
)
SELECT count(*) FROM purged
