-- Daily partitions with their days.
SELECT p.relname::text, c.relname::text, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamptz
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relname IN ('events', 'closed_deliveries', 'attempts', 'idempotency_keys')
ORDER BY c.relname
