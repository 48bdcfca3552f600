-- A page of the deliveries of event $11. The other parameters, the columns and what they mean are those of
-- deliveries_list.sql. What Publish made is a range of ids, $12 to before $13, shared with other events of that
-- millisecond (storage/postgres/event_ids.h); the others have an index. All of them may be read for
-- a page: they are as many as the event has endpoints.
SELECT d.delivery_id, d.event_id, d.endpoint_id, v.org_id, v.env_id, d.event_type, d.origin, d.state,
       CASE WHEN d.state = 1 AND s.state = 2 THEN 4
            WHEN d.state <= 2 AND s.state = 3 THEN 5 ELSE d.state_reason END AS state_reason,
       d.attempt_count,
       CASE WHEN d.sequence IS NULL OR d.delivery_id =
              (SELECT h.delivery_id FROM open_deliveries h
               WHERE h.endpoint_id = d.endpoint_id AND h.sequence IS NOT NULL
               ORDER BY (h.lease_node IS NULL), h.sequence LIMIT 1)
            THEN d.next_attempt_time END AS next_attempt_time,
       d.create_time, d.complete_time
FROM (
  SELECT o.delivery_id, o.event_id, o.endpoint_id, o.env_no, o.event_type, o.origin,
         CASE WHEN o.lease_node IS NULL THEN 1 ELSE 2 END AS state, 0 AS state_reason,
         o.attempt_count, o.next_attempt_time, o.sequence, o.create_time,
         NULL::timestamptz AS complete_time
  FROM (SELECT * FROM open_deliveries
        WHERE event_id = $11::uuid AND origin = 1
          AND delivery_id >= $12::uuid AND delivery_id < $13::uuid
        UNION ALL
        SELECT * FROM open_deliveries WHERE event_id = $11::uuid AND origin <> 1) AS o
  UNION ALL
  SELECT c.delivery_id, c.event_id, c.endpoint_id, c.env_no, c.event_type, c.origin, c.state,
         c.state_reason, c.attempt_count, NULL::timestamptz AS next_attempt_time,
         NULL::bigint AS sequence, c.create_time, c.complete_time
  FROM (SELECT * FROM closed_deliveries
        WHERE event_id = $11::uuid AND origin = 1
          AND delivery_id >= $12::uuid AND delivery_id < $13::uuid
        UNION ALL
        SELECT * FROM closed_deliveries WHERE event_id = $11::uuid AND origin <> 1) AS c
) AS d
JOIN environments v USING (env_no)
LEFT JOIN endpoint_states s ON s.endpoint_id = d.endpoint_id AND d.state <= 2
WHERE ($8::int IS NULL OR d.env_no = $8::int) AND ($1 = '' OR v.org_id = $1) AND ($2 = '' OR v.env_id = $2)
  AND ($3::uuid IS NULL OR d.endpoint_id = $3::uuid)
  AND ($4::int = 0 OR d.state = $4::int)
  AND ($9::timestamptz IS NULL OR d.create_time >= $9::timestamptz)
  AND ($10::timestamptz IS NULL OR d.create_time < $10::timestamptz)
  AND d.delivery_id < $5::uuid AND d.delivery_id >= $6::uuid
ORDER BY d.delivery_id DESC LIMIT $7::int
