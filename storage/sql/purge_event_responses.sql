-- Erases what receivers answered to an event, because an answer can repeat the request: $1 event_id,
-- of its closed deliveries those behind $2, at most $3. What was there counts as cut. Answer: the
-- last delivery of this step (null: there was none) and how many answers were erased.
WITH step AS MATERIALIZED (
  SELECT delivery_id FROM closed_deliveries
  WHERE event_id = $1::uuid AND delivery_id > $2::uuid ORDER BY delivery_id LIMIT $3::int
), erased AS (
  UPDATE attempts SET response_headers = '', response_body = '', response_body_truncated = true
  WHERE attempt_id = ANY (ARRAY(
    SELECT a.attempt_id FROM step
    CROSS JOIN LATERAL (SELECT attempt_id FROM attempts a
                        WHERE a.delivery_id = step.delivery_id
                          AND (a.response_body <> '' OR a.response_headers <> '') OFFSET 0) AS a))
  RETURNING 1
)
SELECT (array_agg(delivery_id ORDER BY delivery_id DESC))[1], (SELECT count(*) FROM erased)
FROM step
