-- The log of environments $1, endpoint by endpoint from $3 on, deleted ones included: at most $2 attempts, and
-- what else there is of their deliveries. (By an array, because a join of the two reads the whole log.) Answer:
-- the last endpoint of this step (null: nothing is left) and how many attempts were erased.
WITH step AS MATERIALIZED (
  SELECT p.endpoint_id, a.delivery_id
  FROM (SELECT endpoint_id FROM endpoints WHERE env_no = ANY ($1::int[]) AND endpoint_id >= $3::uuid
        ORDER BY endpoint_id) AS p
  CROSS JOIN LATERAL (SELECT delivery_id FROM attempts a WHERE a.endpoint_id = p.endpoint_id
                      ORDER BY attempt_id LIMIT $2::int) AS a
  ORDER BY p.endpoint_id LIMIT $2::int
), erased AS (
  DELETE FROM attempts WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM step))
  RETURNING 1
)
SELECT (array_agg(endpoint_id ORDER BY endpoint_id DESC))[1], (SELECT count(*) FROM erased)
FROM step
