-- A new key: $1 id $2 description $3 scopes $4 org_id $5 env_id $6 certificate_san or null
-- $7 SHA-256 of the secret $8 expire_time or null $9 limit of the org $10 limit of all.
-- Refused with PR001 when a limit is reached.
WITH room AS (
  SELECT expect((SELECT count(*) FROM api_keys WHERE org_id = $4 AND revoke_time IS NULL)
                < $9::bigint
                AND (SELECT count(*) FROM api_keys WHERE revoke_time IS NULL) < $10::bigint,
                'too many keys') AS holds
)
INSERT INTO api_keys (key_id, description, scopes, org_id, env_id, certificate_san, secret_digest,
                      expire_time)
SELECT $1::uuid, $2, $3::int, $4, $5, $6, $7, $8::timestamptz FROM room WHERE holds
