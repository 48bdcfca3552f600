-- Keys that were made or revoked in transactions not below $1, and the position to ask from next
-- time (endpoint_changes_since.sql says why none is missed). From 0 on, those that are not revoked.
SELECT NULL::uuid AS key_id, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS position,
       ''::text AS description, 0::smallint AS scopes, ''::text AS org_id, ''::text AS env_id,
       ''::text AS certificate_san, now() AS create_time, NULL::timestamptz AS expire_time,
       ''::bytea AS secret_digest, false AS revoked
UNION ALL
SELECT key_id, 0::bigint, description, scopes, org_id, env_id, certificate_san, create_time,
       expire_time, secret_digest, revoke_time IS NOT NULL
FROM api_keys
WHERE commit_xid >= $1::bigint AND ($1::bigint > 0 OR revoke_time IS NULL)
