-- Leftovers of management: $1 seconds that changes and totals are kept.
WITH requests AS (
  DELETE FROM request_ids WHERE create_time < now() - interval '25 hours'
), secrets AS (
  DELETE FROM endpoint_secrets WHERE expire_time < now() - interval '1 day'
), changes AS (
  DELETE FROM endpoint_changes WHERE change_time < now() - make_interval(secs => $1::float8)
), totals AS (
  DELETE FROM endpoint_totals WHERE hour < now() - make_interval(secs => $1::float8)
)
SELECT 1
