-- A new delivery of the event of delivery $1 to its endpoint, with the id $2. No row: the event's
-- payload is gone or the endpoint deleted. It waits its turn even when the endpoint is disabled, at the end
-- of the queue when it is ordered (accept_store.sql).
INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                             create_time, next_attempt_time, sequence)
SELECT $2::uuid, d.event_id, d.endpoint_id, d.env_no, d.event_type, 2, now(), now(),
       CASE WHEN s.ordered THEN nextval('lease_tokens') << 16 END
FROM (SELECT event_id, endpoint_id, env_no, event_type FROM open_deliveries
      WHERE delivery_id = $1::uuid
      UNION ALL
      SELECT event_id, endpoint_id, env_no, event_type FROM closed_deliveries
      WHERE delivery_id = $1::uuid) AS d
JOIN events e ON e.event_id = d.event_id AND e.body IS NOT NULL
JOIN endpoint_states s ON s.endpoint_id = d.endpoint_id AND s.state <> 3
LIMIT 1
RETURNING delivery_id
