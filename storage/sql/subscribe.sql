-- Replaces the subscriptions of an endpoint: $1 endpoint_id $2 env_no $3 patterns, none of which
-- covers another.
WITH gone AS (
  DELETE FROM subscriptions WHERE endpoint_id = $1::uuid AND pattern <> ALL ($3::text[])
)
INSERT INTO subscriptions (env_no, pattern, endpoint_id)
SELECT $2::int, pattern, $1::uuid FROM unnest($3::text[]) AS pattern
ON CONFLICT DO NOTHING
