-- The environments of an org, by number: $1 org_id.
SELECT env_no FROM environments WHERE org_id = $1
