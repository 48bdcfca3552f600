-- Adds to the totals of endpoints: arrays, sorted by the first two and the last two, of $1 endpoint_id
-- $2 hour $3 outcome $4 duration bucket $5 count; $6 node_no.
INSERT INTO endpoint_totals AS t (endpoint_id, hour, node_no, outcome, duration_bucket, count)
SELECT endpoint_id, hour, $6::int, outcome, bucket, count
FROM unnest($1::uuid[], $2::timestamptz[], $3::int[], $4::int[], $5::bigint[])
     AS i(endpoint_id, hour, outcome, bucket, count)
ON CONFLICT (endpoint_id, hour, node_no, outcome, duration_bucket)
DO UPDATE SET count = t.count + excluded.count
