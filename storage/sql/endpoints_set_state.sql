-- Enables ($2 = 1) or disables ($2 = 2, reason $3) a locked endpoint; the counter starts anew when it is
-- enabled. $4 the kind of change.
WITH state AS (
  UPDATE endpoint_states
  SET state = $2::int, disabled_reason = $3::int,
      disable_time = CASE WHEN $2::int = 2 THEN now() END,
      consecutive_failures = CASE WHEN $2::int = 1 THEN 0 ELSE consecutive_failures END
  WHERE endpoint_id = $1::uuid
  RETURNING endpoint_id
), touched AS (
  UPDATE endpoints SET revision = revision + 1, update_time = now() WHERE endpoint_id = $1::uuid
)
INSERT INTO endpoint_changes (endpoint_id, kind, detail)
SELECT endpoint_id, $4::int, CASE WHEN $2::int = 2 THEN 'by hand' ELSE '' END FROM state
