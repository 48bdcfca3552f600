-- Leftovers of callers: answers that can no longer be asked for, keys that were revoked long ago,
-- audit records past their time.
WITH requests AS (
  DELETE FROM api_key_requests WHERE create_time < now() - interval '25 hours'
), keys AS (
  DELETE FROM api_keys WHERE revoke_time < now() - interval '30 days' RETURNING key_id
), uses AS (
  DELETE FROM api_key_uses USING keys WHERE api_key_uses.key_id = keys.key_id
), records AS (
  DELETE FROM audit_records WHERE record_id < ulid_floor(now() - interval '400 days')
)
SELECT 1
