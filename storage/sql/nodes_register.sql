-- The next incarnation of a node: $1 node_id. Also what died before it: the incarnations that did not
-- stop cleanly, and how many of them there were in a row.
WITH before AS MATERIALIZED (
  SELECT * FROM nodes WHERE node_id = $1
), last AS (
  SELECT coalesce(max(epoch), 0) AS epoch FROM before
), deaths AS (
  SELECT CASE WHEN b.stop_time IS NULL THEN b.unclean_deaths + 1 ELSE 0 END AS count
  FROM before b, last l WHERE b.epoch = l.epoch
), made AS (
  INSERT INTO nodes (node_id, epoch, unclean_deaths)
  SELECT $1, l.epoch + 1, coalesce((SELECT count FROM deaths), 0) FROM last l
  RETURNING node_no, epoch, unclean_deaths
)
SELECT m.node_no, m.epoch, m.unclean_deaths,
       coalesce((SELECT array_agg(node_no) FROM before), '{}')
FROM made m
