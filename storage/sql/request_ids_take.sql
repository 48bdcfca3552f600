-- Notes what a call with this request_id makes: $1 env_no $2 request_id $3 method $4 digest
-- $5 resource $6 version. No row: somebody has it (request_ids_get). Waits for a call in progress.
INSERT INTO request_ids (env_no, request_id, method, digest, resource_id, version)
VALUES ($1::int, $2, $3::int, $4, $5::uuid, $6::int)
ON CONFLICT (env_no, request_id) DO UPDATE
SET method = excluded.method, digest = excluded.digest, resource_id = excluded.resource_id,
    version = excluded.version, create_time = now()
WHERE request_ids.create_time < now() - interval '24 hours'
RETURNING env_no
