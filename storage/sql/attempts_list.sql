-- A page of the log, newest first. $1 delivery_id or null $2 endpoint_id or null $3 outcome or 0
-- $4 not before $5 before (start times, null: any) $6 before this id $7 rows $8 from this id on: an
-- attempt gets its id when it ends, or later when it was abandoned, but never before it starts.
SELECT attempt_id, delivery_id, event_id, endpoint_id, number, origin, start_time, duration_us,
       outcome, http_status, error, remote_address, send_count, response_headers, response_body,
       response_body_truncated, phases_us
FROM attempts
WHERE ($1::uuid IS NULL OR delivery_id = $1::uuid)
  AND ($2::uuid IS NULL OR endpoint_id = $2::uuid)
  AND ($3::int = 0 OR outcome = $3::int)
  AND ($4::timestamptz IS NULL OR start_time >= $4::timestamptz)
  AND ($5::timestamptz IS NULL OR start_time < $5::timestamptz)
  AND attempt_id < $6::uuid AND attempt_id >= $8::uuid
ORDER BY attempt_id DESC LIMIT $7::int
