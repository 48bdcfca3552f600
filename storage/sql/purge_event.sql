-- Erases the payload of one event: $1 event_id. Answer: whether it was there; no row: no such event.
WITH found AS MATERIALIZED (
  SELECT event_id, body IS NOT NULL AS held FROM events WHERE event_id = $1::uuid FOR UPDATE
), erased AS (
  UPDATE events e SET body = NULL FROM found f WHERE e.event_id = f.event_id AND f.held
)
SELECT held FROM found
