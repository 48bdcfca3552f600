-- Frees leases of nodes that are gone ($1 node_nos) or that ran out ($2), at most $3 at a time. The
-- attempt may have started, so it goes to the log as ABANDONED (8) with the lease token whose
-- outcome may still complete it. $4 lease duration, seconds: the attempt began that much before the
-- lease ends. Answer: the endpoints that have work again, with how much, and how much was given up.
-- What is lost is locked and leased: asking for that again would bring in the index of all leased rows.
-- The caller's list may be old: a node that came back meanwhile, renewed less than kDeadAfter
-- (server/dispatch/heartbeat.h) ago, keeps its leases, unless it stopped or its successor runs.
-- A node that did not stop cleanly counts against what it had: after two such deaths in a row a
-- delivery is a suspect (claim.sql), and after three more, alone each time, it has failed (POISONED).
WITH orphaned AS MATERIALIZED (
  SELECT ctid AS place, lease_expire_time, lease_node FROM open_deliveries
  WHERE lease_node = ANY (ARRAY(
    SELECT g.node_no FROM unnest($1::int[]) AS g(node_no)
    WHERE NOT EXISTS (
      SELECT FROM nodes n
      WHERE n.node_no = g.node_no AND n.stop_time IS NULL
        AND n.heartbeat_time > now() - interval '8 seconds'
        AND NOT EXISTS (SELECT FROM nodes later
                        WHERE later.node_id = n.node_id AND later.epoch > n.epoch))))
  LIMIT $3::int FOR UPDATE SKIP LOCKED
), overdue AS MATERIALIZED (
  SELECT ctid AS place, lease_expire_time FROM open_deliveries
  WHERE lease_node = ANY ($2::int[]) AND lease_expire_time < now()
  LIMIT $3::int FOR UPDATE SKIP LOCKED
), lost AS MATERIALIZED (
  SELECT l.place, l.lease_expire_time, n.stop_time IS NULL AS unclean
  FROM orphaned l
  CROSS JOIN LATERAL (SELECT (SELECT stop_time FROM nodes n WHERE n.node_no = l.lease_node)) AS n
  UNION ALL SELECT place, lease_expire_time, false FROM overdue
), condemned AS (
  DELETE FROM open_deliveries o
  USING lost l
  WHERE o.ctid = l.place  -- see record.sql
    AND l.unclean AND o.lost_claims >= 2 AND o.alone_deaths >= 2
  RETURNING o.delivery_id, o.event_id, o.endpoint_id, o.env_no, o.event_type, o.origin,
            o.attempt_count + 1 AS attempt_count, o.create_time, o.lease_token,
            l.lease_expire_time AS old_expire_time
), freed AS (
  UPDATE open_deliveries o
  SET lease_node = NULL, lease_expire_time = NULL, attempt_count = o.attempt_count + 1,
      lost_claims = o.lost_claims + l.unclean::int,
      alone_deaths = o.alone_deaths + (l.unclean AND o.lost_claims >= 2)::int,
      next_attempt_time = now()
  FROM lost l
  WHERE o.ctid = l.place
    AND NOT (l.unclean AND o.lost_claims >= 2 AND o.alone_deaths >= 2)
  RETURNING o.delivery_id, o.event_id, o.endpoint_id, o.env_no, o.event_type, o.origin,
            o.attempt_count, o.create_time, o.lease_token, l.lease_expire_time AS old_expire_time
), closed AS (
  INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                                 state, state_reason, attempt_count, create_time, complete_time)
  SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 4, 3, attempt_count,
         create_time, now()
  FROM condemned
), logged AS (
  INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                        start_time, duration_us, outcome, http_status, error, remote_address,
                        send_count, response_headers, response_body, response_body_truncated,
                        phases_us, lease_token, commit_xid)
  SELECT ulid_at(now()), delivery_id, event_id, endpoint_id, env_no, attempt_count, origin,
         least(now(), old_expire_time - make_interval(secs => $4::float8)), 0, 8, 0,
         'the server stopped while this attempt was running: it may have been received', '', 0,
         '', '', false, '{0,0,0,0}', lease_token, (SELECT pg_current_xact_id()::text::bigint)
  FROM (SELECT * FROM freed UNION ALL SELECT * FROM condemned) AS ended
)
SELECT endpoint_id, count(*)::int AS count, 0 AS poisoned FROM freed GROUP BY endpoint_id
UNION ALL
SELECT endpoint_id, 0, count(*)::int FROM condemned GROUP BY endpoint_id
