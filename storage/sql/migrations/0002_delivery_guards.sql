-- A bound on what one transaction of Publish calls may fan out (PR002), and what is remembered of a
-- delivery that may be killing its servers.

-- As the other one, with an SQLSTATE of the caller's.
CREATE FUNCTION expect(holds boolean, what text, code text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF NOT holds THEN
    RAISE EXCEPTION '%', what USING ERRCODE = code;
  END IF;
  RETURN true;
END $$;

-- lost_claims counts the unclean deaths of nodes that had the delivery, one after the other, and
-- alone_deaths those of them where no other suspect was with it; a recorded attempt sets both to 0.
ALTER TABLE open_deliveries ADD COLUMN alone_deaths smallint NOT NULL DEFAULT 0;
-- Suspects: nearly always empty.
CREATE INDEX open_deliveries_suspect ON open_deliveries (lease_node, endpoint_id)
  WHERE lost_claims >= 2;

COMMENT ON COLUMN endpoint_changes.kind IS
  '1 created, 2 updated, 3 enabled, 4 disabled, 5 deleted, 6 secret rotated, 7 leased deliveries canceled';
