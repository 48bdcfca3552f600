-- Servers that start at once make the first key one after the other. Held until the transaction ends.
SELECT pg_advisory_xact_lock(7216901)
