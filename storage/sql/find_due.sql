-- Endpoints that have unleased deliveries due, each found with one index probe: the cost follows the
-- number of endpoints that have work waiting, not the number of deliveries. $1 at most so many,
-- $2 after this endpoint (a cursor: the next call goes on behind the last).
WITH RECURSIVE waiting AS (
  (SELECT endpoint_id FROM open_deliveries
   WHERE lease_node IS NULL AND endpoint_id > $2::uuid
   ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT o.endpoint_id FROM open_deliveries o
          WHERE o.lease_node IS NULL AND o.endpoint_id > w.endpoint_id
          ORDER BY o.endpoint_id LIMIT 1)
  FROM waiting w WHERE w.endpoint_id IS NOT NULL
)
SELECT w.endpoint_id, d.next_attempt_time, d.next_attempt_time <= now() AND e.state = 1 AS due
FROM (SELECT endpoint_id FROM waiting WHERE endpoint_id IS NOT NULL LIMIT $1::int) AS w
CROSS JOIN LATERAL (SELECT o.next_attempt_time FROM open_deliveries o
                    WHERE o.endpoint_id = w.endpoint_id AND o.lease_node IS NULL
                    ORDER BY o.next_attempt_time LIMIT 1) AS d
CROSS JOIN LATERAL (SELECT state FROM endpoint_states e
                    WHERE e.endpoint_id = w.endpoint_id OFFSET 0) AS e
