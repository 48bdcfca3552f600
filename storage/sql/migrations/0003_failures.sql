-- Lists of what did not succeed: few rows among many, which no other index finds. What succeeded is
-- in none of these, so the usual way writes no more than before.
CREATE INDEX closed_deliveries_failed_of_env ON closed_deliveries (env_no, delivery_id)
  WHERE state <> 3;
CREATE INDEX closed_deliveries_failed_of_endpoint ON closed_deliveries (endpoint_id, delivery_id)
  WHERE state <> 3;
CREATE INDEX attempts_failed_of_endpoint ON attempts (endpoint_id, attempt_id) WHERE outcome <> 1;
