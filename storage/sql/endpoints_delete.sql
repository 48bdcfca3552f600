-- Marks a locked endpoint as deleted; secrets and subscriptions go at once.
WITH endpoint AS (
  UPDATE endpoints SET delete_time = now(), update_time = now()
  WHERE endpoint_id = $1::uuid RETURNING endpoint_id
), state AS (
  UPDATE endpoint_states SET state = 3 WHERE endpoint_id = $1::uuid
), subscription AS (
  DELETE FROM subscriptions WHERE endpoint_id = $1::uuid
)
INSERT INTO endpoint_changes (endpoint_id, kind) SELECT endpoint_id, 5 FROM endpoint
