-- Whose an endpoint is, or was: $1 endpoint_id.
SELECT v.org_id, v.env_id FROM endpoints p JOIN environments v USING (env_no)
WHERE p.endpoint_id = $1::uuid
