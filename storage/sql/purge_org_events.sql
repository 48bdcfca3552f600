-- Events of environments $1, at most $2.
DELETE FROM events WHERE event_id = ANY (ARRAY(
  SELECT event_id FROM events WHERE env_no = ANY ($1::int[]) ORDER BY event_id LIMIT $2::int))
