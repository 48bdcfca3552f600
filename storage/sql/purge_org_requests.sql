-- Request ids of environments $1, at most $2.
DELETE FROM request_ids WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM request_ids WHERE env_no = ANY ($1::int[]) LIMIT $2::int))
