-- Secrets that are not sealed under the master key $1, behind endpoint $2 version $3, at most $4.
SELECT x.endpoint_id, v.org_id, v.env_id, x.version, x.key_id, x.nonce, x.sealed
FROM endpoint_secrets x
JOIN endpoints p USING (endpoint_id)
JOIN environments v USING (env_no)
WHERE x.key_id <> $1 AND (x.endpoint_id, x.version) > ($2::uuid, $3::int)
ORDER BY x.endpoint_id, x.version LIMIT $4::int
