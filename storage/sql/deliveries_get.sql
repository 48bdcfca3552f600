-- One delivery, open or closed: $1 delivery_id. What waits behind the head of its endpoint's queue has no
-- next attempt yet.
SELECT d.delivery_id, d.event_id, d.endpoint_id, v.org_id, v.env_id, d.event_type, d.origin, d.state,
       d.state_reason, d.attempt_count, d.next_attempt_time, d.create_time, d.complete_time,
       d.env_no
FROM (
  SELECT o.delivery_id, o.event_id, o.endpoint_id, o.env_no, o.event_type, o.origin,
         CASE WHEN o.lease_node IS NULL THEN 1 ELSE 2 END AS state,
         CASE WHEN o.lease_node IS NULL AND s.state = 2 THEN 4
              WHEN s.state = 3 THEN 5 ELSE 0 END AS state_reason,
         o.attempt_count,
         CASE WHEN o.sequence IS NULL OR o.delivery_id =
                (SELECT h.delivery_id FROM open_deliveries h
                 WHERE h.endpoint_id = o.endpoint_id AND h.sequence IS NOT NULL
                 ORDER BY (h.lease_node IS NULL), h.sequence LIMIT 1)
              THEN o.next_attempt_time END AS next_attempt_time,
         o.create_time, NULL::timestamptz AS complete_time
  FROM open_deliveries o JOIN endpoint_states s USING (endpoint_id)
  WHERE o.delivery_id = $1::uuid
  UNION ALL
  SELECT c.delivery_id, c.event_id, c.endpoint_id, c.env_no, c.event_type, c.origin, c.state,
         c.state_reason, c.attempt_count, NULL::timestamptz AS next_attempt_time, c.create_time,
         c.complete_time
  FROM closed_deliveries c WHERE c.delivery_id = $1::uuid
) AS d
JOIN environments v USING (env_no)
