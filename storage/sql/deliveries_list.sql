-- A page of deliveries, newest first, from the open and the closed ones. $1 org_id or '' $2 env_id or ''
-- $3 endpoint_id or null $4 state or 0 $5 before this id $6 from this id on $7 rows
-- $8 env_no where org and env name one (so that the index gives the order), else null
-- $9 made at or after, or null $10 made before, or null. Held by a disabled endpoint (reason 4) is
-- what the endpoint's state says now. Those of one event: deliveries_list_of_event.sql.
-- Each half finds its rows alone, so that nothing is joined that is not on the page, and a state that
-- only the other half has ends it before it begins. Few deliveries end otherwise than in success:
-- closed_deliveries_failed_* find those.
-- What waits behind the head of its endpoint's queue has no next attempt yet: one probe for each that is
-- shown.
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
  (SELECT o.delivery_id, o.event_id, o.endpoint_id, o.env_no, o.event_type, o.origin,
          CASE WHEN o.lease_node IS NULL THEN 1 ELSE 2 END AS state, 0 AS state_reason,
          o.attempt_count, o.next_attempt_time, o.sequence, o.create_time,
          NULL::timestamptz AS complete_time
   FROM open_deliveries o
   WHERE ($8::int IS NULL OR o.env_no = $8::int)
     AND ($8::int IS NOT NULL OR $1 = '' AND $2 = ''
          OR o.env_no IN (SELECT env_no FROM environments
                          WHERE ($1 = '' OR org_id = $1) AND ($2 = '' OR env_id = $2)))
     AND ($3::uuid IS NULL OR o.endpoint_id = $3::uuid)
     AND ($4::int = 0 OR $4::int = 1 AND o.lease_node IS NULL
          OR $4::int = 2 AND o.lease_node IS NOT NULL)
     AND ($9::timestamptz IS NULL OR o.create_time >= $9::timestamptz)
     AND ($10::timestamptz IS NULL OR o.create_time < $10::timestamptz)
     AND o.delivery_id < $5::uuid AND o.delivery_id >= $6::uuid
   ORDER BY o.delivery_id DESC LIMIT $7::int)
  UNION ALL
  (SELECT c.delivery_id, c.event_id, c.endpoint_id, c.env_no, c.event_type, c.origin, c.state,
          c.state_reason, c.attempt_count, NULL::timestamptz AS next_attempt_time,
          NULL::bigint AS sequence, c.create_time, c.complete_time
   FROM closed_deliveries c
   WHERE ($8::int IS NULL OR c.env_no = $8::int)
     AND ($8::int IS NOT NULL OR $1 = '' AND $2 = ''
          OR c.env_no IN (SELECT env_no FROM environments
                          WHERE ($1 = '' OR org_id = $1) AND ($2 = '' OR env_id = $2)))
     AND ($3::uuid IS NULL OR c.endpoint_id = $3::uuid)
     AND ($4::int = 0 OR $4::int >= 3 AND c.state = $4::int)
     AND ($9::timestamptz IS NULL OR c.create_time >= $9::timestamptz)
     AND ($10::timestamptz IS NULL OR c.create_time < $10::timestamptz)
     AND c.delivery_id < $5::uuid AND c.delivery_id >= $6::uuid
   ORDER BY c.delivery_id DESC LIMIT $7::int)
) AS d
JOIN environments v USING (env_no)
LEFT JOIN endpoint_states s ON s.endpoint_id = d.endpoint_id AND d.state <= 2
ORDER BY d.delivery_id DESC LIMIT $7::int
