-- Orgs with $1 or more open deliveries. Reads the whole hot table, by the index of its environments
-- where that is enough.
SELECT v.org_id
FROM (SELECT env_no, count(*) AS open FROM open_deliveries GROUP BY env_no) AS o
JOIN environments v USING (env_no)
GROUP BY v.org_id HAVING sum(o.open) >= $1::bigint
