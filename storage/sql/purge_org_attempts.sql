-- The log of environments $1, at most $2.
DELETE FROM attempts WHERE attempt_id = ANY (ARRAY(
  SELECT attempt_id FROM attempts WHERE env_no = ANY ($1::int[]) ORDER BY attempt_id LIMIT $2::int))
