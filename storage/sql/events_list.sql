-- A page of events, newest first. $1 org_id or '' $2 env_id or '' $3 before this id $4 from this id on
-- (inclusive) $5 exact types or null $6 LIKE patterns of prefixes $7 rows $8 whether bodies are wanted
-- $9 env_no where org and env name one (so that the index gives the order), else null
-- $10 accepted at or after, or null $11 accepted before, or null
SELECT e.event_id, v.org_id, v.env_id, e.type, e.event_time, e.create_time, e.delivery_count,
       coalesce(e.idempotency_key, ''), coalesce(e.traceparent, ''),
       CASE WHEN $8::bool THEN e.body END
FROM events e JOIN environments v USING (env_no)
WHERE ($9::int IS NULL OR e.env_no = $9::int)
  AND ($1 = '' OR v.org_id = $1) AND ($2 = '' OR v.env_id = $2)
  AND e.event_id < $3::uuid AND e.event_id >= $4::uuid
  AND ($10::timestamptz IS NULL OR e.create_time >= $10::timestamptz)
  AND ($11::timestamptz IS NULL OR e.create_time < $11::timestamptz)
  AND (cardinality($5::text[]) + cardinality($6::text[]) = 0
       OR e.type = ANY ($5::text[]) OR e.type LIKE ANY ($6::text[]))
ORDER BY e.event_id DESC LIMIT $7::int
