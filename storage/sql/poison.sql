-- Ends a delivery whose outcome cannot be stored (state 4, reason 3): $1 delivery_id $2 lease_token
-- $3 attempt_id $4 start_time. Its attempt is logged as ABANDONED, with nothing of the receiver's.
WITH gone AS (
  DELETE FROM open_deliveries
  WHERE delivery_id = $1::uuid AND lease_token = $2::bigint
    AND coalesce(lease_node, 0) <> 0  -- keeps the index of all leased rows out
  RETURNING *
), closed AS (
  INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                                 state, state_reason, attempt_count, create_time, complete_time)
  SELECT delivery_id, event_id, endpoint_id, env_no, event_type, origin, 4, 3, attempt_count + 1,
         create_time, now()
  FROM gone
)
INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                      start_time, duration_us, outcome, http_status, error, remote_address,
                      send_count, response_headers, response_body, response_body_truncated,
                      phases_us, commit_xid)
SELECT $3::uuid, delivery_id, event_id, endpoint_id, env_no, attempt_count + 1, origin, $4, 0, 8, 0,
       'the outcome of this attempt could not be stored: it may have been received', '', 0, '', '',
       false, '{0,0,0,0}', pg_current_xact_id()::text::bigint
FROM gone
