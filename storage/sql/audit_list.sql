-- Audit records, newest first: $1 org_id or '' $2 env_id or '' $3 key or null $4 resource or ''
-- $5 start or null $6 end or null $7 not below this id $8 below this id $9 rows.
SELECT record_id, create_time, key_id, remote_address, rpc, resource_id, org_id, env_id, code
FROM audit_records
WHERE ($1 = '' OR org_id = $1) AND ($2 = '' OR env_id = $2)
  AND ($3::uuid IS NULL OR key_id = $3::uuid)
  AND ($4 = '' OR resource_id = $4)
  AND ($5::timestamptz IS NULL OR create_time >= $5::timestamptz)
  AND ($6::timestamptz IS NULL OR create_time < $6::timestamptz)
  AND record_id >= $7::uuid AND record_id < $8::uuid
ORDER BY record_id DESC LIMIT $9::int
