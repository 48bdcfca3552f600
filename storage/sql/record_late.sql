-- One outcome that lost its lease. Its ABANDONED row is completed, once; a success ends a delivery
-- that is still open (if that is leased, the attempt in flight will find its token in the closed
-- row); an attempt whose delivery was canceled under it is logged. Nothing else changes.
-- Parameters as in record.sql, one value each: $1 delivery_id $2 lease_token $3 whether it succeeded
-- $4 attempt_id $5 start_time $6 duration_us $7 outcome $8 http_status $9 error $10 remote_address
-- $11 send_count $12 response_headers $13 response_body $14 truncated $15 phases $16 complete_time
-- $17 event_id. When the event's payload was erased meanwhile, what the receiver answered is not kept:
-- it can repeat the request. The lock keeps the erasure from passing by unseen.
-- Answer: what was done: 1 row completed, 2 logged beside a closed delivery, 3 delivery ended.
WITH event AS MATERIALIZED (
  SELECT body IS NULL AS erased FROM events WHERE event_id = $17::uuid FOR SHARE
), answer AS MATERIALIZED (
  SELECT CASE WHEN erased THEN '' ELSE $12::bytea END AS headers,
         CASE WHEN erased THEN '' ELSE $13::bytea END AS body, $14::bool OR erased AS truncated
  FROM (SELECT EXISTS (SELECT FROM event WHERE event.erased) AS erased) AS e
), completed AS (
  UPDATE attempts a
  SET start_time = $5, duration_us = $6::bigint, outcome = $7::int, http_status = $8::int, error = $9,
      remote_address = $10, send_count = $11::int, response_headers = answer.headers,
      response_body = answer.body, response_body_truncated = answer.truncated,
      phases_us = $15::int[], lease_token = NULL
  FROM answer
  WHERE a.delivery_id = $1::uuid AND a.lease_token = $2::bigint
    AND a.outcome + 0 = 8  -- keeps the index of all failed attempts out
  RETURNING a.attempt_id
), ended AS (
  DELETE FROM open_deliveries o
  WHERE o.delivery_id = $1::uuid AND $3::bool AND EXISTS (SELECT FROM completed)
  RETURNING o.*
), closed AS (
  INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                                 state, state_reason, attempt_count, create_time, complete_time,
                                 lease_token)
  SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 3, 0, attempt_count,
         create_time, $16, CASE WHEN lease_node IS NOT NULL THEN lease_token END
  FROM ended
), noted AS (
  INSERT INTO endpoint_changes (endpoint_id, kind)
  SELECT endpoint_id, 7 FROM ended WHERE lease_node IS NOT NULL
), awaited AS (
  UPDATE closed_deliveries c SET lease_token = NULL, attempt_count = attempt_count + 1
  WHERE c.delivery_id = $1::uuid AND c.lease_token = $2::bigint
  RETURNING c.*
), logged AS (
  INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                        start_time, duration_us, outcome, http_status, error, remote_address,
                        send_count, response_headers, response_body, response_body_truncated,
                        phases_us, commit_xid)
  SELECT $4::uuid, delivery_id, event_id, endpoint_id, env_no, attempt_count, origin, $5, $6::bigint,
         $7::int, $8::int, $9, $10, $11::int, answer.headers, answer.body, answer.truncated,
         $15::int[], pg_current_xact_id()::text::bigint
  FROM awaited, answer
)
SELECT 1 AS done FROM completed UNION ALL SELECT 2 FROM awaited UNION ALL SELECT 3 FROM ended
