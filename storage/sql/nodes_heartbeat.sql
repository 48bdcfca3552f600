-- Renews this node ($1) and tells of every incarnation that is not forgotten. The first row is the
-- database's time; node_no 0 there means that this node was forgotten.
WITH renewed AS (
  UPDATE nodes SET heartbeat_time = now() WHERE node_no = $1::int RETURNING node_no
)
SELECT coalesce((SELECT node_no FROM renewed), 0) AS node_no, '' AS node_id, 0::float8 AS silence,
       false AS stopped, clock_timestamp() AS database_time
UNION ALL
SELECT node_no, node_id,
       CASE WHEN node_no = $1::int THEN 0
            ELSE extract(epoch FROM now() - heartbeat_time)::float8 END,
       stop_time IS NOT NULL, now()
FROM nodes
