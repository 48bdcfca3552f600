-- Keys that are not revoked, newest first: $1 org_id or '' $2 env_id or '' $3 before this id $4 rows.
SELECT k.key_id, k.description, k.scopes, k.org_id, k.env_id, k.certificate_san, k.create_time,
       k.expire_time, u.last_use_time
FROM api_keys k LEFT JOIN api_key_uses u USING (key_id)
WHERE k.revoke_time IS NULL
  AND ($1 = '' OR k.org_id = $1) AND ($2 = '' OR k.env_id = $2)
  AND k.key_id < $3::uuid
ORDER BY k.key_id DESC LIMIT $4::int
