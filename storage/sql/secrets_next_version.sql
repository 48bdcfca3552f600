SELECT coalesce(max(version), 0) + 1 FROM endpoint_secrets WHERE endpoint_id = $1::uuid
