-- One event by id ($1), or by idempotency key in an environment: see events_get_by_key.
SELECT e.event_id, v.org_id, v.env_id, e.type, e.event_time, e.create_time, e.delivery_count,
       coalesce(e.idempotency_key, ''), coalesce(e.traceparent, ''), e.body
FROM events e JOIN environments v USING (env_no)
WHERE e.event_id = $1::uuid
