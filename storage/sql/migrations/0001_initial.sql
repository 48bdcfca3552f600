-- The whole schema. Ids are ULIDs in `uuid` columns, so tables are partitioned by day of creation
-- simply by ranges of the id. Times are the database's clock. There are no foreign keys between
-- hot tables: the statements that write them uphold the rules, and a partition can be dropped alone.

-- Text of a ULID's first 48 bits is the first 13 characters of its uuid text.
CREATE FUNCTION ulid_floor(t timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-0000-0000-000000000000')::uuid
  FROM lpad(to_hex(floor(extract(epoch FROM t) * 1000)::bigint), 12, '0') AS h
$$;

-- A new ULID of that moment.
CREATE FUNCTION ulid_at(t timestamptz) RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT (substr(ulid_floor(t)::text, 1, 13) || substr(gen_random_uuid()::text, 14))::uuid
$$;

-- Ends a statement, and with it everything the statement wrote, when an expectation does not hold.
-- SQLSTATE PR001 is looked for by the recorder.
CREATE FUNCTION expect(holds boolean, what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF NOT holds THEN
    RAISE EXCEPTION '%', what USING ERRCODE = 'PR001';
  END IF;
  RETURN true;
END $$;

-- ---------------------------------------------------------------- tenants and nodes

-- Short numbers for (org, env), because every hot row carries one.
CREATE TABLE environments (
  env_no int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id text NOT NULL,
  env_id text NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  UNIQUE (org_id, env_id)
);

-- One row an incarnation of a server: a node that restarts comes back under the same node_id with
-- the next epoch and a new node_no, and leases name the node_no.
CREATE TABLE nodes (
  node_no int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  node_id text NOT NULL,
  epoch int NOT NULL,
  start_time timestamptz NOT NULL DEFAULT now(),
  heartbeat_time timestamptz NOT NULL DEFAULT now(),
  stop_time timestamptz,                        -- set by a clean stop
  unclean_deaths int NOT NULL DEFAULT 0,        -- of this node_id in a row, this incarnation apart
  UNIQUE (node_id, epoch)
) WITH (fillfactor = 50);

CREATE SEQUENCE lease_tokens;                   -- a token fences every lease that was ever given

-- ---------------------------------------------------------------- endpoints

CREATE TABLE endpoints (
  endpoint_id uuid PRIMARY KEY,
  env_no int NOT NULL,
  url text NOT NULL,
  events text[] NOT NULL,
  description text NOT NULL,
  header_names text[] NOT NULL,
  headers_key_id text,
  headers_nonce bytea,
  headers_sealed bytea,
  retry_schedule_ms bigint[] NOT NULL,
  retries_disabled boolean NOT NULL,
  disable_threshold int,
  timeout_ms int,
  max_in_flight int,
  rate_limit_per_second float8,
  ordered boolean NOT NULL,
  metadata_keys text[] NOT NULL,
  metadata_values text[] NOT NULL,
  signature_scheme smallint NOT NULL,
  public_key text NOT NULL DEFAULT '',
  secret_hint text NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  create_time timestamptz NOT NULL DEFAULT now(),
  update_time timestamptz NOT NULL DEFAULT now(),
  delete_time timestamptz
);
CREATE INDEX endpoints_of_env ON endpoints (env_no, endpoint_id) WHERE delete_time IS NULL;

-- What changes often, apart from the wide row: read by every fan-out, written by the recorder.
-- state: 1 enabled, 2 disabled, 3 deleted.
CREATE TABLE endpoint_states (
  endpoint_id uuid PRIMARY KEY,
  state smallint NOT NULL DEFAULT 1,
  disabled_reason smallint NOT NULL DEFAULT 0,
  disable_time timestamptz,
  consecutive_failures int NOT NULL DEFAULT 0,
  ordered boolean NOT NULL DEFAULT false,
  next_sequence bigint NOT NULL DEFAULT 1       -- of an ordered endpoint
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- One row a pattern; '*' stands for "every type but postrider.*". A pattern that another one of the
-- same endpoint covers is not here, so an event finds an endpoint once at most.
CREATE TABLE subscriptions (
  env_no int NOT NULL,
  pattern text NOT NULL,
  endpoint_id uuid NOT NULL,
  PRIMARY KEY (env_no, pattern, endpoint_id)
);
CREATE INDEX subscriptions_of_endpoint ON subscriptions (endpoint_id);

CREATE TABLE endpoint_secrets (
  endpoint_id uuid NOT NULL,
  version int NOT NULL,
  scheme smallint NOT NULL,
  key_id text NOT NULL,
  nonce bytea NOT NULL,
  sealed bytea NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  expire_time timestamptz,                      -- null: the current one
  PRIMARY KEY (endpoint_id, version)
);

-- Every change of an endpoint. Nodes follow it by commit_xid: whoever reads with a snapshot whose
-- xmin is X has seen every change below X, so reading again from X misses nothing.
-- kind: 1 created, 2 updated, 3 enabled, 4 disabled, 5 deleted, 6 secret rotated.
CREATE TABLE endpoint_changes (
  change_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  endpoint_id uuid NOT NULL,
  kind smallint NOT NULL,
  detail text NOT NULL DEFAULT '',
  change_time timestamptz NOT NULL DEFAULT now(),
  commit_xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)
);
CREATE INDEX endpoint_changes_by_commit ON endpoint_changes (commit_xid);
CREATE INDEX endpoint_changes_of_endpoint ON endpoint_changes (endpoint_id, change_no);

-- Attempts of an endpoint by the hour, by the node that recorded them (so that nodes never wait for
-- each other), by outcome and by how long they took: bucket i holds those of less than 2^i
-- milliseconds and not less than 2^(i-1).
CREATE TABLE endpoint_totals (
  endpoint_id uuid NOT NULL,
  hour timestamptz NOT NULL,
  node_no int NOT NULL,
  outcome smallint NOT NULL,
  duration_bucket smallint NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (endpoint_id, hour, node_no, outcome, duration_bucket)
);

-- ---------------------------------------------------------------- events

CREATE TABLE events (
  event_id uuid NOT NULL,
  env_no int NOT NULL,
  type text NOT NULL,
  event_time timestamptz NOT NULL,
  create_time timestamptz NOT NULL,
  delivery_count int NOT NULL,
  idempotency_key text,
  traceparent text,
  body bytea,                                   -- the envelope as it is sent; null: erased
  commit_xid bigint NOT NULL,                   -- position that watchers follow, as in endpoint_changes
  PRIMARY KEY (event_id)
) PARTITION BY RANGE (event_id);
-- Compressing a kilobyte costs more than storing it; EXTERNAL still moves long ones aside.
ALTER TABLE events ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX events_of_env ON events (env_no, event_id);
CREATE INDEX events_by_commit ON events USING brin (commit_xid);

-- Keys by window of the idempotency period: a lookup asks this window and the one before.
CREATE TABLE idempotency_keys (
  window_start timestamptz NOT NULL,
  env_no int NOT NULL,
  key text NOT NULL,
  event_id uuid NOT NULL,
  content_digest bytea NOT NULL,                -- SHA-256 of type and data
  given_event_time timestamptz,                 -- null: the publisher gave none
  delivery_count int NOT NULL,
  create_time timestamptz NOT NULL,
  PRIMARY KEY (window_start, env_no, key)
) PARTITION BY RANGE (window_start);

-- ---------------------------------------------------------------- deliveries and attempts

-- The small hot table: deliveries that are not over. lease_node null: waiting, due at
-- next_attempt_time. Not null: that node has it and may have started its attempt (a lease is
-- given when the attempt is about to start, so it is the `started` mark as well).
CREATE TABLE open_deliveries (
  delivery_id uuid PRIMARY KEY,
  event_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  env_no int NOT NULL,
  event_type text NOT NULL,
  origin smallint NOT NULL,
  attempt_count int NOT NULL DEFAULT 0,         -- attempts in the log, abandoned ones included
  failure_count int NOT NULL DEFAULT 0,         -- failures that used up a step of the schedule
  lost_claims int NOT NULL DEFAULT 0,           -- leases that ended with the death of their node
  sequence bigint,                              -- place in an ordered endpoint's queue
  create_time timestamptz NOT NULL,
  next_attempt_time timestamptz NOT NULL,
  lease_node int,
  lease_token bigint,
  lease_expire_time timestamptz
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.5);
CREATE INDEX open_deliveries_due ON open_deliveries (endpoint_id, next_attempt_time)
  WHERE lease_node IS NULL;
CREATE INDEX open_deliveries_leased ON open_deliveries (lease_node, lease_expire_time)
  WHERE lease_node IS NOT NULL;
CREATE INDEX open_deliveries_of_event ON open_deliveries (event_id);
CREATE INDEX open_deliveries_of_endpoint ON open_deliveries (endpoint_id, delivery_id);
CREATE INDEX open_deliveries_of_env ON open_deliveries (env_no, delivery_id);

CREATE TABLE closed_deliveries (
  delivery_id uuid NOT NULL,
  event_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  env_no int NOT NULL,
  event_type text NOT NULL,
  origin smallint NOT NULL,
  state smallint NOT NULL,
  state_reason smallint NOT NULL,
  attempt_count int NOT NULL,
  create_time timestamptz NOT NULL,
  complete_time timestamptz NOT NULL,
  lease_token bigint,                           -- an attempt was in flight: it is still logged, once
  PRIMARY KEY (delivery_id)
) PARTITION BY RANGE (delivery_id);
CREATE INDEX closed_deliveries_of_event ON closed_deliveries (event_id);
CREATE INDEX closed_deliveries_of_endpoint ON closed_deliveries (endpoint_id, delivery_id);
CREATE INDEX closed_deliveries_of_env ON closed_deliveries (env_no, delivery_id);

CREATE TABLE attempts (
  attempt_id uuid NOT NULL,
  delivery_id uuid NOT NULL,
  event_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  env_no int NOT NULL,
  number int NOT NULL,
  origin smallint NOT NULL,
  start_time timestamptz NOT NULL,
  duration_us bigint NOT NULL,
  outcome smallint NOT NULL,
  http_status smallint NOT NULL,
  error text NOT NULL,
  remote_address text NOT NULL,
  send_count smallint NOT NULL,
  response_headers bytea NOT NULL,              -- "name: value" lines, CRLF after each
  response_body bytea NOT NULL,
  response_body_truncated boolean NOT NULL,
  phases_us int[] NOT NULL,                     -- dns, connect, tls, first byte
  lease_token bigint,                           -- abandoned rows only: whose outcome may still complete them
  commit_xid bigint NOT NULL,
  PRIMARY KEY (attempt_id)
) PARTITION BY RANGE (attempt_id);
CREATE INDEX attempts_of_delivery ON attempts (delivery_id);
CREATE INDEX attempts_of_endpoint ON attempts (endpoint_id, attempt_id);
CREATE INDEX attempts_of_env ON attempts (env_no, attempt_id);
CREATE INDEX attempts_by_commit ON attempts USING brin (commit_xid);

-- ---------------------------------------------------------------- safe retries of management calls

-- What a call with this request_id made. method: 1 create endpoint, 2 rotate secret, 3 redeliver.
CREATE TABLE request_ids (
  env_no int NOT NULL,
  request_id text NOT NULL,
  method smallint NOT NULL,
  digest bytea NOT NULL,                        -- SHA-256 of the request: another one under the id is refused
  resource_id uuid NOT NULL,
  version int NOT NULL DEFAULT 0,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (env_no, request_id)
);
CREATE INDEX request_ids_by_time ON request_ids (create_time);

-- ---------------------------------------------------------------- partitions

-- Makes the partitions of one UTC day where they are missing. Names end in _YYYYMMDD.
CREATE FUNCTION make_day(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  low timestamptz := day::timestamp AT TIME ZONE 'UTC';
  high timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
  FOREACH parent IN ARRAY ARRAY['events', 'closed_deliveries', 'attempts'] LOOP
    IF to_regclass(parent || '_' || to_char(day, 'YYYYMMDD')) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                     parent || '_' || to_char(day, 'YYYYMMDD'), parent,
                     ulid_floor(low), ulid_floor(high));
    END IF;
  END LOOP;
  IF to_regclass('idempotency_keys_' || to_char(day, 'YYYYMMDD')) IS NULL THEN
    EXECUTE format('CREATE TABLE %I PARTITION OF idempotency_keys FOR VALUES FROM (%L) TO (%L)',
                   'idempotency_keys_' || to_char(day, 'YYYYMMDD'), low, high);
  END IF;
END $$;
