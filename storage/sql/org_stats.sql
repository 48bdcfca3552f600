-- Totals of an org over what is kept: $1 org_id, $2 env_id or ''. Rows (what, which, count): 1
-- endpoints by state, 2 events, 3 deliveries by state, 4 attempts by outcome.
WITH envs AS MATERIALIZED (
  SELECT env_no FROM environments WHERE org_id = $1 AND ($2 = '' OR env_id = $2)
), org_endpoints AS MATERIALIZED (
  SELECT p.endpoint_id, s.state, p.delete_time IS NULL AS exists
  FROM endpoints p JOIN endpoint_states s USING (endpoint_id)
  WHERE p.env_no IN (SELECT env_no FROM envs)
)
SELECT 1, state::int, count(*) FROM org_endpoints WHERE exists GROUP BY state
UNION ALL
SELECT 2, 0, count(*) FROM events WHERE env_no IN (SELECT env_no FROM envs)
UNION ALL
SELECT 3, CASE WHEN lease_node IS NULL THEN 1 ELSE 2 END AS state, count(*) FROM open_deliveries
WHERE env_no IN (SELECT env_no FROM envs) AND origin <> 4 GROUP BY state
UNION ALL
SELECT 3, state::int, count(*) FROM closed_deliveries
WHERE env_no IN (SELECT env_no FROM envs) AND origin <> 4 GROUP BY state
UNION ALL
SELECT 4, outcome::int, sum(count)::bigint FROM endpoint_totals
WHERE endpoint_id IN (SELECT endpoint_id FROM org_endpoints) GROUP BY outcome
