-- Events of environments $1, at most $2. Order: see purge_org_open.sql.
DELETE FROM events WHERE event_id = ANY (ARRAY(
  SELECT event_id FROM events WHERE env_no = ANY ($1::int[])
  ORDER BY env_no, event_id LIMIT $2::int))
