-- Records a batch of outcomes, each fenced by its lease token: the delivery is closed or waits for its
-- next attempt, the attempt goes to the log, endpoints count. All or nothing: when one of the
-- outcomes no longer holds its lease the statement ends with PR001, and the caller sorts them.
-- Rows are found one by one and changed by their place (ctid): with a join of the table itself, a plan
-- that was made while it was empty reads all of it once it is full. A row that moved meanwhile is another's
-- now, which its token shows.
-- coalesce keeps the index of all leased rows out, which costs nothing only while that is empty.
-- Arrays, one element an outcome:
--   $1 delivery_id  $2 lease_token  $3 endpoint_id  $4 new state (1 waits, 3 to 5 closed)
--   $5 state_reason  $6 next_attempt_time (waiting) or null  $7 whether a step of the schedule is used
--   $8 attempt_id  $9 start_time  $10 duration_us  $11 outcome  $12 http_status  $13 error
--   $14 remote_address  $15 send_count  $16 response_headers  $17 response_body  $18 truncated
--   $19 to $22 phases, us: dns, connect, tls, first byte  $23 complete_time
-- Arrays, one element an endpoint with something to count, sorted by id ("Auto-disable"):
--   $24 endpoint_id  $25 failures before the first success  $26 longest run of failures
--   $27 failures after the last success  $28 whether there was a success
--   $29 threshold, 0 never  $30 whether a 410 disables it
-- Answer: the endpoints whose counter this statement changed, with the reason if it disabled them.
-- What only the log keeps goes from its parameters straight into the log: every set that such wide
-- rows pass through copies them once more.
WITH input AS MATERIALIZED (
  SELECT i.*, o.place
  FROM unnest($1::uuid[], $2::bigint[], $4::int[], $5::int[], $6::timestamptz[], $7::bool[],
              $23::timestamptz[]) WITH ORDINALITY
       AS i(delivery_id, lease_token, state, state_reason, next_time, uses_retry, complete_time,
            item)
  LEFT JOIN LATERAL (SELECT o.ctid AS place FROM open_deliveries o
                     WHERE o.delivery_id = i.delivery_id OFFSET 0) AS o ON true
), closing AS (
  DELETE FROM open_deliveries o USING input i
  WHERE i.state <> 1 AND o.ctid = i.place AND o.lease_token = i.lease_token
    AND coalesce(o.lease_node, 0) <> 0
  RETURNING i.item, i.state, i.state_reason, i.complete_time, o.delivery_id, o.event_id,
            o.endpoint_id, o.env_no, o.event_type, o.origin, o.attempt_count + 1 AS number,
            o.create_time
), waiting AS (
  UPDATE open_deliveries o
  SET lease_node = NULL, lease_expire_time = NULL, attempt_count = o.attempt_count + 1,
      failure_count = o.failure_count + i.uses_retry::int, next_attempt_time = i.next_time,
      lost_claims = 0, alone_deaths = 0
  FROM input i
  WHERE i.state = 1 AND o.ctid = i.place AND o.lease_token = i.lease_token
    AND coalesce(o.lease_node, 0) <> 0
  RETURNING i.item, o.event_id, o.env_no, o.origin, o.attempt_count AS number
), closed AS (
  INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                                 state, state_reason, attempt_count, create_time, complete_time)
  SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, state, state_reason,
         number, create_time, complete_time
  FROM closing
), done AS MATERIALIZED (
  -- In the order of the parameters, so that unnest puts both side by side. An outcome without its
  -- row shifts the others, but then nothing of this stays.
  SELECT array_agg(event_id ORDER BY item) AS event_ids, array_agg(env_no ORDER BY item) AS env_nos,
         array_agg(number ORDER BY item) AS numbers, array_agg(origin ORDER BY item) AS origins
  FROM (SELECT item, event_id, env_no, number, origin FROM closing
        UNION ALL
        SELECT item, event_id, env_no, number, origin FROM waiting) AS each
), logged AS (
  INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                        start_time, duration_us, outcome, http_status, error, remote_address,
                        send_count, response_headers, response_body, response_body_truncated,
                        phases_us, commit_xid)
  SELECT i.attempt_id, i.delivery_id, i.event_id, i.endpoint_id, i.env_no, i.number, i.origin,
         i.start_time, i.duration_us, i.outcome, i.http_status, i.error, i.remote_address,
         i.send_count, i.response_headers, i.response_body, i.truncated,
         ARRAY[i.dns_us, i.connect_us, i.tls_us, i.first_byte_us],
         (SELECT pg_current_xact_id()::text::bigint)
  FROM done, unnest($1::uuid[], $3::uuid[], $8::uuid[], $9::timestamptz[], $10::bigint[],
                    $11::int[], $12::int[], $13::text[], $14::text[], $15::int[], $16::bytea[],
                    $17::bytea[], $18::bool[], $19::int[], $20::int[], $21::int[], $22::int[],
                    done.event_ids, done.env_nos, done.numbers, done.origins)
       AS i(delivery_id, endpoint_id, attempt_id, start_time, duration_us, outcome, http_status,
            error, remote_address, send_count, response_headers, response_body, truncated, dns_us,
            connect_us, tls_us, first_byte_us, event_id, env_no, number, origin)
  WHERE i.event_id IS NOT NULL
), tally AS MATERIALIZED (
  SELECT * FROM unnest($24::uuid[], $25::int[], $26::int[], $27::int[], $28::bool[], $29::int[],
                       $30::bool[])
       AS t(endpoint_id, first_run, longest_run, last_run, success, threshold, gone)
), counted AS (
  -- A disabled or deleted endpoint's counter stands still. Nothing is written when nothing changes.
  UPDATE endpoint_states s
  SET consecutive_failures =
        CASE WHEN t.threshold > 0 AND t.first_run > 0
                  AND s.consecutive_failures + t.first_run >= t.threshold
             THEN greatest(s.consecutive_failures + 1, t.threshold)  -- where it was reached
             WHEN t.threshold > 0 AND t.longest_run >= t.threshold THEN t.threshold
             WHEN t.success THEN t.last_run
             ELSE s.consecutive_failures + t.first_run END,
      state = CASE WHEN t.gone OR t.threshold > 0
                        AND (t.first_run > 0 AND s.consecutive_failures + t.first_run >= t.threshold
                             OR t.longest_run >= t.threshold) THEN 2 ELSE 1 END,
      disabled_reason =
        CASE WHEN t.gone THEN 3
             WHEN t.threshold > 0
                  AND (t.first_run > 0 AND s.consecutive_failures + t.first_run >= t.threshold
                       OR t.longest_run >= t.threshold) THEN 2 ELSE 0 END,
      disable_time =
        CASE WHEN t.gone OR t.threshold > 0
                  AND (t.first_run > 0 AND s.consecutive_failures + t.first_run >= t.threshold
                       OR t.longest_run >= t.threshold) THEN now() END
  FROM tally t
  WHERE s.endpoint_id = t.endpoint_id AND s.state = 1
    AND (t.gone OR t.first_run > 0 OR t.last_run > 0 OR t.longest_run > 0
         OR s.consecutive_failures <> 0)
  RETURNING s.endpoint_id, s.state, s.disabled_reason, s.consecutive_failures
), noted AS (
  INSERT INTO endpoint_changes (endpoint_id, kind, detail)
  SELECT endpoint_id, 4, CASE disabled_reason WHEN 3 THEN 'gone' ELSE 'consecutive failures' END
  FROM counted WHERE state = 2
), touched AS (
  UPDATE endpoints SET revision = revision + 1, update_time = now()
  WHERE endpoint_id = ANY (ARRAY(SELECT endpoint_id FROM counted WHERE state = 2))
)
SELECT endpoint_id, disabled_reason::int, consecutive_failures FROM counted
UNION ALL
SELECT NULL, 0, 0 WHERE NOT expect(
  (SELECT count(*) FROM closing) + (SELECT count(*) FROM waiting) = (SELECT count(*) FROM input),
  'an outcome no longer holds its lease')
