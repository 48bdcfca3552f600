-- Ordered endpoints: what is accepted for one has a sequence, and its queue is an index of its own. What is
-- under way stands first there, so one probe finds the head: what is leased, or else the least sequence.
CREATE INDEX open_deliveries_ordered ON open_deliveries (endpoint_id, (lease_node IS NULL), sequence)
  WHERE sequence IS NOT NULL;

-- What has a sequence is found by that alone: a queue that waits behind its head is no due work.
DROP INDEX open_deliveries_due;
CREATE INDEX open_deliveries_due ON open_deliveries (endpoint_id, next_attempt_time)
  WHERE lease_node IS NULL AND sequence IS NULL;

-- Made of the number that a batch is leased under, so no row has to be counted up.
ALTER TABLE endpoint_states DROP COLUMN next_sequence;
COMMENT ON COLUMN open_deliveries.sequence IS
  'place in the queue of an endpoint that was ordered at acceptance: a number of lease_tokens << 16, with the place in the batch';
