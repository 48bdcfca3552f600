-- What came of the call: $1 id $2 resource $3 org_id $4 env_id $5 code.
UPDATE audit_records SET resource_id = $2, org_id = $3, env_id = $4, code = $5::int
WHERE record_id = $1::uuid
