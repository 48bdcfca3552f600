-- Frees leases of nodes that are gone ($1 node_nos) or that ran out ($2), at most $3 at a time. The
-- attempt may have started, so it goes to the log as ABANDONED (8) with the lease token whose
-- outcome may still complete it. $4 lease duration, seconds: the attempt began that much before the
-- lease ends. Answer: the endpoints that have work again, with how much.
WITH orphaned AS MATERIALIZED (
  SELECT delivery_id, lease_token, lease_expire_time FROM open_deliveries
  WHERE lease_node = ANY ($1::int[]) LIMIT $3::int FOR UPDATE SKIP LOCKED
), overdue AS MATERIALIZED (
  SELECT delivery_id, lease_token, lease_expire_time FROM open_deliveries
  WHERE lease_node = ANY ($2::int[]) AND lease_expire_time < now()
  LIMIT $3::int FOR UPDATE SKIP LOCKED
), lost AS MATERIALIZED (
  SELECT * FROM orphaned UNION ALL SELECT * FROM overdue
), freed AS (
  UPDATE open_deliveries o
  SET lease_node = NULL, lease_expire_time = NULL, attempt_count = o.attempt_count + 1,
      lost_claims = o.lost_claims + 1, next_attempt_time = now()
  FROM lost l WHERE o.delivery_id = l.delivery_id AND o.lease_node IS NOT NULL
  RETURNING o.*, l.lease_expire_time AS old_expire_time
), logged AS (
  INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                        start_time, duration_us, outcome, http_status, error, remote_address,
                        send_count, response_headers, response_body, response_body_truncated,
                        phases_us, lease_token, commit_xid)
  SELECT ulid_at(now()), delivery_id, event_id, endpoint_id, env_no, attempt_count, origin,
         least(now(), old_expire_time - make_interval(secs => $4::float8)), 0, 8, 0,
         'the server stopped while this attempt was running: it may have been received', '', 0,
         '', '', false, '{0,0,0,0}', lease_token, (SELECT pg_current_xact_id()::text::bigint)
  FROM freed
)
SELECT endpoint_id, count(*)::int AS count FROM freed GROUP BY endpoint_id
