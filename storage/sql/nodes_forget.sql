-- Forgets nodes ($1) that hold no lease; the latest incarnation of a node_id stays a day, because its
-- row says how it ended.
DELETE FROM nodes n
WHERE n.node_no = ANY ($1::int[])
  AND NOT EXISTS (SELECT FROM open_deliveries o WHERE o.lease_node = n.node_no)
  -- A statement of a killed server may still commit, with leases, after its successor began.
  AND n.heartbeat_time < now() - interval '1 hour'
  AND (n.heartbeat_time < now() - interval '1 day'
       OR EXISTS (SELECT FROM nodes later
                  WHERE later.node_id = n.node_id AND later.epoch > n.epoch))
