-- Erases what receivers answered to an event, because an answer can repeat the request: $1 event_id,
-- of its closed deliveries those behind $2, at most $3. $4 and $5: ids of its millisecond
-- (storage/postgres/event_ids.h). What was there counts as cut. Answer: the last delivery of this step
-- (null: there was none) and how many answers were erased.
WITH step AS MATERIALIZED (
  SELECT delivery_id
  FROM (SELECT delivery_id FROM closed_deliveries
        WHERE event_id = $1::uuid AND origin = 1 AND delivery_id >= $4::uuid AND delivery_id < $5::uuid
        UNION ALL
        SELECT delivery_id FROM closed_deliveries WHERE event_id = $1::uuid AND origin <> 1) AS c
  WHERE delivery_id > $2::uuid ORDER BY delivery_id LIMIT $3::int
), erased AS (
  UPDATE attempts SET response_headers = '', response_body = '', response_body_truncated = true
  WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM step))
    AND (response_body <> '' OR response_headers <> '')
  RETURNING 1
)
SELECT (array_agg(delivery_id ORDER BY delivery_id DESC))[1], (SELECT count(*) FROM erased)
FROM step
