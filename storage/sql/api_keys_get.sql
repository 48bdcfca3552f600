-- One key that is not revoked: $1 id.
SELECT k.key_id, k.description, k.scopes, k.org_id, k.env_id, k.certificate_san, k.create_time,
       k.expire_time, u.last_use_time
FROM api_keys k LEFT JOIN api_key_uses u USING (key_id)
WHERE k.key_id = $1::uuid AND k.revoke_time IS NULL
