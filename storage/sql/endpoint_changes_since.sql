-- What changed of endpoints in transactions not below $1, and the position to ask from next time: every
-- transaction below this snapshot's xmin is over and was seen, now or earlier.
SELECT NULL::bigint AS change_no, NULL::uuid AS endpoint_id, false AS cancels,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS position
UNION ALL
SELECT change_no, endpoint_id, kind = 7, 0::bigint FROM endpoint_changes
WHERE commit_xid >= $1::bigint
