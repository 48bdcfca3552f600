-- Answers of CreateApiKey that are not sealed under the master key $1, of keys behind $2 ($3 is not
-- looked at), at most $4. Columns as in sealed_secrets.
SELECT k.key_id, k.org_id, k.env_id, 0 AS version, r.sealed_under, r.nonce, r.sealed
FROM api_key_requests r
JOIN api_keys k USING (key_id)
WHERE r.sealed_under <> $1 AND k.key_id > $2::uuid AND $3::int IS NOT NULL
ORDER BY k.key_id LIMIT $4::int
