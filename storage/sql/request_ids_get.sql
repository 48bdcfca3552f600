SELECT method, digest, resource_id, version FROM request_ids
WHERE env_no = $1::int AND request_id = $2
