-- Endpoints that have work to be claimed, now or at its time, each found with one index probe: the cost
-- follows the number of endpoints that have work waiting, not the number of deliveries. $1 at most so
-- many, $2 after this endpoint (a cursor: the next call goes on behind the last).
-- What has a sequence waits for its turn: the time is that of the head, and none while that is leased.
WITH RECURSIVE waiting AS (
  (SELECT endpoint_id FROM open_deliveries
   WHERE lease_node IS NULL AND sequence IS NULL AND endpoint_id > $2::uuid
   ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT o.endpoint_id FROM open_deliveries o
          WHERE o.lease_node IS NULL AND o.sequence IS NULL AND o.endpoint_id > w.endpoint_id
          ORDER BY o.endpoint_id LIMIT 1)
  FROM waiting w WHERE w.endpoint_id IS NOT NULL
), queued AS (
  (SELECT endpoint_id FROM open_deliveries
   WHERE sequence IS NOT NULL AND endpoint_id > $2::uuid
   ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT o.endpoint_id FROM open_deliveries o
          WHERE o.sequence IS NOT NULL AND o.endpoint_id > q.endpoint_id
          ORDER BY o.endpoint_id LIMIT 1)
  FROM queued q WHERE q.endpoint_id IS NOT NULL
), due AS (
  SELECT w.endpoint_id, d.next_attempt_time
  FROM (SELECT endpoint_id FROM waiting WHERE endpoint_id IS NOT NULL LIMIT $1::int) AS w
  CROSS JOIN LATERAL (SELECT o.next_attempt_time FROM open_deliveries o
                      WHERE o.endpoint_id = w.endpoint_id AND o.lease_node IS NULL
                        AND o.sequence IS NULL
                      ORDER BY o.next_attempt_time LIMIT 1) AS d
  UNION ALL
  SELECT q.endpoint_id, h.next_attempt_time
  FROM (SELECT endpoint_id FROM queued WHERE endpoint_id IS NOT NULL LIMIT $1::int) AS q
  CROSS JOIN LATERAL (SELECT CASE WHEN o.lease_node IS NULL THEN o.next_attempt_time END
                               AS next_attempt_time
                      FROM open_deliveries o
                      WHERE o.endpoint_id = q.endpoint_id AND o.sequence IS NOT NULL
                      ORDER BY (o.lease_node IS NULL), o.sequence LIMIT 1) AS h
)
SELECT d.endpoint_id, min(d.next_attempt_time),
       coalesce(min(d.next_attempt_time) <= now() AND bool_or(e.state = 1), false) AS due
FROM due d
CROSS JOIN LATERAL (SELECT state FROM endpoint_states e
                    WHERE e.endpoint_id = d.endpoint_id OFFSET 0) AS e
GROUP BY d.endpoint_id ORDER BY d.endpoint_id LIMIT $1::int
