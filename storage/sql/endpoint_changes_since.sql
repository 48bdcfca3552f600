-- Endpoints that changed in transactions not below $1, and the position to ask from next time: every
-- transaction below this snapshot's xmin is over and was seen, now or earlier.
SELECT NULL::uuid AS endpoint_id, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS position
UNION ALL
SELECT DISTINCT endpoint_id, 0::bigint FROM endpoint_changes WHERE commit_xid >= $1::bigint
