-- The number of an environment, made when it is new: $1 org_id $2 env_id. Its own transaction, so a
-- batch never waits for another node's first event of an environment.
WITH made AS (
  INSERT INTO environments (org_id, env_id) VALUES ($1, $2)
  ON CONFLICT DO NOTHING RETURNING env_no
)
SELECT env_no FROM made
UNION ALL
SELECT env_no FROM environments WHERE org_id = $1 AND env_id = $2
LIMIT 1
