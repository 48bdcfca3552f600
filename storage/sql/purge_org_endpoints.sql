-- Deletes endpoints of environments $1 and wipes their rows, those deleted before included, at most
-- $2. What is left of each, its id and times, tells the nodes; housekeeping removes it.
WITH wiped AS (
  UPDATE endpoints
  SET url = '', events = '{}', description = '', header_names = '{}', headers_key_id = NULL,
      headers_nonce = NULL, headers_sealed = NULL, metadata_keys = '{}', metadata_values = '{}',
      public_key = '', secret_hint = '', revision = revision + 1, update_time = now(),
      delete_time = coalesce(delete_time, now())
  WHERE endpoint_id = ANY (ARRAY(
    SELECT endpoint_id FROM endpoints WHERE env_no = ANY ($1::int[]) AND url <> ''
    ORDER BY endpoint_id LIMIT $2::int FOR UPDATE))
  RETURNING endpoint_id
), state AS (
  UPDATE endpoint_states SET state = 3 WHERE endpoint_id IN (SELECT endpoint_id FROM wiped)
), subscription AS (
  DELETE FROM subscriptions WHERE endpoint_id IN (SELECT endpoint_id FROM wiped)
), secret AS (
  DELETE FROM endpoint_secrets WHERE endpoint_id IN (SELECT endpoint_id FROM wiped)
), total AS (
  DELETE FROM endpoint_totals WHERE endpoint_id IN (SELECT endpoint_id FROM wiped)
)
INSERT INTO endpoint_changes (endpoint_id, kind) SELECT endpoint_id, 5 FROM wiped
