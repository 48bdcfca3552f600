-- Indexes cost about half of what it takes to store a delivery and its outcome. It was put into 13, and now into 9.

-- In the order in which the statements of servers that run meanwhile take them: no deadlock with these.
LOCK TABLE open_deliveries, closed_deliveries, attempts;

-- Nothing asks for an attempt by its id or for those of an environment: the log is read by delivery and by
-- endpoint, and an attempt is logged once because its lease token fences it, not because its id is unique.
ALTER TABLE attempts DROP CONSTRAINT attempts_pkey;
DROP INDEX attempts_of_env;

-- PurgeOrg finds the log of an org by its endpoints, so what is left of a deleted one now stays for as long
-- as the log has anything of it (sweep_endpoints.sql). What was swept before comes back, wiped, until then.
WITH RECURSIVE logged(endpoint_id) AS (
  (SELECT endpoint_id FROM attempts WHERE endpoint_id IS NOT NULL ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT a.endpoint_id FROM attempts a WHERE a.endpoint_id > l.endpoint_id
          ORDER BY a.endpoint_id LIMIT 1)
  FROM logged l WHERE l.endpoint_id IS NOT NULL
)
INSERT INTO endpoints (endpoint_id, env_no, url, events, description, header_names, retry_schedule_ms,
                       retries_disabled, ordered, metadata_keys, metadata_values, signature_scheme,
                       secret_hint, delete_time)
SELECT l.endpoint_id, (SELECT env_no FROM attempts a WHERE a.endpoint_id = l.endpoint_id LIMIT 1), '',
       '{}', '', '{}', '{}', false, false, '{}', '{}', 1, '', now()
FROM logged l
WHERE l.endpoint_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM endpoints p WHERE p.endpoint_id = l.endpoint_id);

-- The deliveries that Publish makes (origin 1) always had ids of their event's millisecond, so they are found
-- by that range of the primary key. The few others, made later, have an index.
DROP INDEX open_deliveries_of_event;
CREATE INDEX open_deliveries_again_of_event ON open_deliveries (event_id, delivery_id) WHERE origin <> 1;
DROP INDEX closed_deliveries_of_event;
CREATE INDEX closed_deliveries_again_of_event ON closed_deliveries (event_id, delivery_id)
  WHERE origin <> 1;
