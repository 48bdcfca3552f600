-- The master keys that anything is sealed under, with how much.
SELECT key_id, count(*) FROM (
  SELECT key_id FROM endpoint_secrets
  UNION ALL
  SELECT headers_key_id FROM endpoints WHERE headers_key_id IS NOT NULL) AS sealed
GROUP BY key_id
