-- The master keys that anything is sealed under, with how much.
SELECT key_id, count(*) FROM (
  SELECT key_id FROM endpoint_secrets
  UNION ALL
  SELECT headers_key_id FROM endpoints WHERE headers_key_id IS NOT NULL
  UNION ALL
  SELECT r.sealed_under FROM api_key_requests r JOIN api_keys k USING (key_id)) AS sealed
GROUP BY key_id
