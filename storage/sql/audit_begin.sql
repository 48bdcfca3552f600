-- A call with scope ADMIN begins: $1 id $2 time $3 key or null $4 address $5 rpc $6 resource $7 org_id
-- $8 env_id.
INSERT INTO audit_records (record_id, create_time, key_id, remote_address, rpc, resource_id, org_id,
                           env_id)
VALUES ($1::uuid, $2::timestamptz, $3::uuid, $4, $5, $6, $7, $8)
