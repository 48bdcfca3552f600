-- Who may call, and what callers with scope ADMIN did. Small tables that no delivery waits for.

-- scopes: a bit a scope, 2^1 publish, 2^2 read, 2^3 admin. Servers follow the table by commit_xid, as
-- they follow endpoint_changes: it is set anew by every change that a server must see.
CREATE TABLE api_keys (
  key_id uuid PRIMARY KEY,
  description text NOT NULL,
  scopes smallint NOT NULL,
  org_id text NOT NULL,                         -- '': the whole installation
  env_id text NOT NULL,                         -- '': every environment of the org
  certificate_san text,
  secret_digest bytea NOT NULL,                 -- SHA-256; the secret itself is nowhere
  create_time timestamptz NOT NULL DEFAULT now(),
  expire_time timestamptz,
  revoke_time timestamptz,
  commit_xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)
);
CREATE INDEX api_keys_by_commit ON api_keys (commit_xid);
CREATE INDEX api_keys_of_org ON api_keys (org_id, key_id) WHERE revoke_time IS NULL;
CREATE UNIQUE INDEX api_keys_by_san ON api_keys (certificate_san) WHERE revoke_time IS NULL;

-- Apart from the keys, so that noting a use changes no row that servers follow.
CREATE TABLE api_key_uses (
  key_id uuid PRIMARY KEY,
  last_use_time timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Answers of CreateApiKey that can be asked for again, sealed, for a day.
CREATE TABLE api_key_requests (
  caller text NOT NULL,                         -- id of the calling key; '': a local caller
  request_id text NOT NULL,
  digest bytea NOT NULL,                        -- SHA-256 of the request
  key_id uuid NOT NULL,
  sealed_under text NOT NULL,
  nonce bytea NOT NULL,
  sealed bytea NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (caller, request_id)
);
CREATE INDEX api_key_requests_of_key ON api_key_requests (key_id);

CREATE TABLE audit_records (
  record_id uuid PRIMARY KEY,
  create_time timestamptz NOT NULL,
  key_id uuid,                                  -- null: a local caller
  remote_address text NOT NULL,
  rpc text NOT NULL,
  resource_id text NOT NULL,
  org_id text NOT NULL,
  env_id text NOT NULL,
  code int                                      -- null: the call's end was never noted
);
CREATE INDEX audit_records_of_org ON audit_records (org_id, record_id);
CREATE INDEX audit_records_of_resource ON audit_records (resource_id, record_id);
