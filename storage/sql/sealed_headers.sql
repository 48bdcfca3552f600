-- Headers that are not sealed under the master key $1, behind endpoint $2 ($3 is not looked at), at
-- most $4. Columns as in sealed_secrets.
SELECT p.endpoint_id, v.org_id, v.env_id, 0 AS version, p.headers_key_id, p.headers_nonce,
       p.headers_sealed
FROM endpoints p
JOIN environments v USING (env_no)
WHERE p.headers_key_id <> $1 AND p.endpoint_id > $2::uuid AND $3::int IS NOT NULL
ORDER BY p.endpoint_id LIMIT $4::int
