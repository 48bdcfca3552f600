SELECT env_no FROM environments WHERE org_id = $1 AND env_id = $2
