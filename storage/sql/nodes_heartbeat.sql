-- Renews this node ($1 node_no $2 node_id $3 epoch) and tells of every incarnation that is not forgotten.
-- The first row is the database's time; node_no 0 there means that a later incarnation took this one's place.
WITH renewed AS (
  -- A gap, or a clock that was set: what was before proves nothing (MembershipOf in
  -- server/dispatch/heartbeat.h).
  UPDATE nodes
  SET heartbeat_time = now(),
      steady_since = CASE WHEN heartbeat_time BETWEEN now() - interval '4 seconds' AND now()
                               AND steady_since <= now() THEN steady_since ELSE now() END
  WHERE node_no = $1::int RETURNING node_no, steady_since
), back AS (
  -- Forgotten after a long silence, when it held nothing any more: the same incarnation again.
  INSERT INTO nodes (node_no, node_id, epoch) OVERRIDING SYSTEM VALUE
  SELECT $1::int, $2, $3::int
  WHERE NOT EXISTS (SELECT FROM renewed)
    AND NOT EXISTS (SELECT FROM nodes WHERE node_id = $2 AND node_no > $1::int)
  ON CONFLICT DO NOTHING RETURNING node_no
)
SELECT coalesce((SELECT node_no FROM renewed), (SELECT node_no FROM back), 0) AS node_no,
       '' AS node_id, 0::float8 AS silence, false AS stopped, clock_timestamp() AS database_time,
       0::float8 AS steady_for
UNION ALL
SELECT node_no, node_id,
       CASE WHEN node_no = $1::int THEN 0
            ELSE extract(epoch FROM now() - heartbeat_time)::float8 END,
       stop_time IS NOT NULL, now(),
       CASE WHEN node_no = $1::int
            THEN extract(epoch FROM now() - (SELECT steady_since FROM renewed))::float8
            ELSE coalesce(extract(epoch FROM heartbeat_time - steady_since)::float8, 0) END
FROM nodes
UNION ALL
-- Not among those yet: this statement sees what was there before it.
SELECT node_no, $2, 0, false, now(), 0 FROM back
