#include "storage/postgres/endpoint_store.h"

#include <algorithm>
#include <utility>

#include "sql_text.h"
#include "storage/model/subscription.h"
#include "storage/postgres/endpoint_rows.h"
#include "storage/postgres/request_ids.h"

namespace postrider {
namespace {

// Deliveries that one call of Delete or Enable cancels by itself; the sweep goes on behind it.
constexpr int32_t kCancelAtOnce = 10000;

enum class ChangeKind : int32_t { kEnabled = 3, kDisabled = 4 };

std::string_view View(const std::string& text) { return text; }

struct LockedEndpoint {
  Endpoint endpoint;
  int32_t env_no = 0;
};

absl::StatusOr<LockedEndpoint> Lock(Session& session, EndpointId id) {
  absl::StatusOr<Result> rows = session.Run(sql::kEndpointsLock, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no such endpoint");
  return LockedEndpoint{EndpointOfRow(*rows, 0),
                        static_cast<int32_t>(rows->Int(0, kEndpointColumns))};
}

absl::Status Subscribe(Session& session, EndpointId id, int32_t env_no,
                       const std::vector<std::string>& events) {
  return session
      .Run(sql::kSubscribe,
           Params().Uuid(id.ulid).Int4(env_no).TextArray(StoredPatterns(events), View))
      .status();
}

absl::StatusOr<EndpointSecret> SecretOf(Session& session, EndpointId id, int32_t version) {
  absl::StatusOr<Result> rows = session.Run(sql::kSecretsGet, Params().Uuid(id.ulid).Int4(version));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("this secret is gone");
  return SecretOfRow(*rows, 0, 0);
}

absl::Status SetState(Session& session, EndpointId id, EndpointState state, DisabledReason reason,
                      ChangeKind kind) {
  return session
      .Run(sql::kEndpointsSetState, Params()
                                        .Uuid(id.ulid)
                                        .Int4(static_cast<int32_t>(state))
                                        .Int4(static_cast<int32_t>(reason))
                                        .Int4(static_cast<int32_t>(kind)))
      .status();
}

absl::StatusOr<int64_t> CancelOpen(Session& session, EndpointId id, StateReason reason,
                                   absl::Time created_until) {
  absl::StatusOr<Result> result =
      session.Run(sql::kCancelOpen, Params()
                                        .Uuid(id.ulid)
                                        .Int4(static_cast<int32_t>(reason))
                                        .Time(created_until)
                                        .Int4(kCancelAtOnce));
  if (!result.ok()) return result.status();
  return result->affected();
}

}  // namespace

absl::StatusOr<EndpointStore::Created> PgEndpointStore::Create(const Endpoint& endpoint,
                                                               const EndpointSecret& secret,
                                                               const RequestId& request_id,
                                                               int64_t max_endpoints) {
  auto session = pool_.Take();
  const absl::StatusOr<int32_t> env_no = environments_.NumberOf(endpoint.tenant, *session);
  if (!env_no.ok()) return env_no.status();
  Created created;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    const auto known = TakeRequestId(s, *env_no, RequestMethod::kCreateEndpoint, request_id,
                                     {endpoint.id.ulid, secret.version});
    if (!known.ok()) return known.status();
    const EndpointId id = known->has_value() ? EndpointId{(*known)->resource_id} : endpoint.id;
    created.repeated = known->has_value();
    if (!created.repeated) {
      Params params;
      params.Uuid(endpoint.id.ulid).Int4(*env_no);
      AddConfig(endpoint.config, params);
      params.Int4(static_cast<int32_t>(endpoint.signature_scheme))
          .Text(endpoint.public_key)
          .Text(endpoint.secret_hint)
          .Int4(secret.version)
          .Text(secret.sealed.key_id)
          .Bytes(secret.sealed.nonce)
          .Bytes(secret.sealed.bytes)
          .Int8(max_endpoints);
      const auto inserted = s.Run(sql::kEndpointsInsert, params);
      if (absl::IsAborted(inserted.status())) {
        return absl::ResourceExhaustedError("this environment has as many endpoints as it may");
      }
      if (!inserted.ok()) return inserted.status();
      if (absl::Status subscribed = Subscribe(s, id, *env_no, endpoint.config.events);
          !subscribed.ok()) {
        return subscribed;
      }
    }
    absl::StatusOr<LockedEndpoint> stored = Lock(s, id);
    if (!stored.ok()) return stored.status();
    created.endpoint = std::move(stored->endpoint);
    absl::StatusOr<EndpointSecret> stored_secret = SecretOf(s, id, secret.version);
    if (!stored_secret.ok()) return stored_secret.status();
    created.secret = *std::move(stored_secret);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return created;
}

absl::StatusOr<Endpoint> PgEndpointStore::Get(EndpointId id) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kEndpointsGet, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no such endpoint");
  return EndpointOfRow(*rows, 0);
}

absl::StatusOr<Tenant> PgEndpointStore::OwnerOf(EndpointId id) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kEndpointsOwner, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no such endpoint");
  return Tenant{rows->Text(0, 0), rows->Text(0, 1)};
}

absl::StatusOr<Page<Endpoint>> PgEndpointStore::List(const EndpointFilter& filter,
                                                     const PageRequest& page) {
  Ulid before;
  before.bytes.fill(0xff);
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(
      sql::kEndpointsList, Params()
                               .Text(filter.tenant.org_id)
                               .Text(filter.tenant.env_id)
                               .Int4(filter.state ? static_cast<int32_t>(*filter.state) : 0)
                               .Uuid(page.after.value_or(before))
                               .Int4(page.size + 1));
  if (!rows.ok()) return rows.status();
  Page<Endpoint> endpoints;
  endpoints.more = rows->rows() > page.size;
  for (int row = 0; row < std::min(rows->rows(), page.size); ++row) {
    endpoints.rows.push_back(EndpointOfRow(*rows, row));
  }
  return endpoints;
}

absl::StatusOr<Endpoint> PgEndpointStore::Update(EndpointId id, const Change& change) {
  auto session = pool_.Take();
  Endpoint updated;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    absl::StatusOr<LockedEndpoint> locked = Lock(s, id);
    if (!locked.ok()) return locked.status();
    const std::vector<std::string> old_events = locked->endpoint.config.events;
    if (absl::Status edited = change(locked->endpoint); !edited.ok()) return edited;
    Params params;
    params.Uuid(id.ulid);
    AddConfig(locked->endpoint.config, params);
    if (absl::Status stored = s.Run(sql::kEndpointsUpdate, params).status(); !stored.ok()) {
      return stored;
    }
    if (locked->endpoint.config.events != old_events) {
      absl::Status subscribed = Subscribe(s, id, locked->env_no, locked->endpoint.config.events);
      if (!subscribed.ok()) return subscribed;
    }
    absl::StatusOr<LockedEndpoint> stored = Lock(s, id);
    if (!stored.ok()) return stored.status();
    updated = std::move(stored->endpoint);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return updated;
}

absl::Status PgEndpointStore::Delete(EndpointId id) {
  auto session = pool_.Take();
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    absl::StatusOr<LockedEndpoint> locked = Lock(s, id);
    if (!locked.ok()) return locked.status();
    return s.Run(sql::kEndpointsDelete, Params().Uuid(id.ulid)).status();
  });
  if (!status.ok()) return status;
  // The deletion holds. What is still open ends in a transaction of its own, so that the endpoint's
  // row is not locked meanwhile; whatever goes wrong here the sweep mends.
  (void)CancelOpen(*session, id, StateReason::kEndpointDeleted, absl::InfiniteFuture());
  return absl::OkStatus();
}

absl::StatusOr<Endpoint> PgEndpointStore::Enable(EndpointId id, bool discard_pending) {
  auto session = pool_.Take();
  Endpoint enabled;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    absl::StatusOr<LockedEndpoint> locked = Lock(s, id);
    if (!locked.ok()) return locked.status();
    if (locked->endpoint.state == EndpointState::kDisabled) {
      if (discard_pending) {
        for (;;) {
          absl::StatusOr<int64_t> canceled =
              CancelOpen(s, id, StateReason::kCanceledByCaller, absl::InfiniteFuture());
          if (!canceled.ok()) return canceled.status();
          if (*canceled < kCancelAtOnce) break;
        }
      }
      absl::Status stored =
          SetState(s, id, EndpointState::kEnabled, DisabledReason::kNone, ChangeKind::kEnabled);
      if (!stored.ok()) return stored;
      locked = Lock(s, id);
      if (!locked.ok()) return locked.status();
    }
    enabled = std::move(locked->endpoint);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return enabled;
}

absl::StatusOr<Endpoint> PgEndpointStore::Disable(EndpointId id) {
  auto session = pool_.Take();
  Endpoint disabled;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    absl::StatusOr<LockedEndpoint> locked = Lock(s, id);
    if (!locked.ok()) return locked.status();
    if (locked->endpoint.state == EndpointState::kEnabled) {
      absl::Status stored =
          SetState(s, id, EndpointState::kDisabled, DisabledReason::kManual, ChangeKind::kDisabled);
      if (!stored.ok()) return stored;
      locked = Lock(s, id);
      if (!locked.ok()) return locked.status();
    }
    disabled = std::move(locked->endpoint);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return disabled;
}

absl::StatusOr<int32_t> PgEndpointStore::NextSecretVersion(EndpointId id) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kSecretsNextVersion, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  return static_cast<int32_t>(rows->Int(0, 0));
}

absl::StatusOr<EndpointStore::Rotated> PgEndpointStore::RotateSecret(EndpointId id, int32_t version,
                                                                     const SecretRotation& rotation,
                                                                     const RequestId& request_id) {
  auto session = pool_.Take();
  Rotated rotated;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    absl::StatusOr<LockedEndpoint> locked = Lock(s, id);
    if (!locked.ok()) return locked.status();
    const auto known = TakeRequestId(s, locked->env_no, RequestMethod::kRotateSecret, request_id,
                                     {id.ulid, version});
    if (!known.ok()) return known.status();
    rotated.repeated = known->has_value();
    const int32_t stored_version = rotated.repeated ? (*known)->version : version;
    if (!rotated.repeated) {
      absl::StatusOr<Result> next = s.Run(sql::kSecretsNextVersion, Params().Uuid(id.ulid));
      if (!next.ok()) return next.status();
      if (next->Int(0, 0) != version) {
        return absl::FailedPreconditionError("the secret was rotated at the same moment");
      }
      absl::Status stored =
          s.Run(sql::kSecretsRotate, Params()
                                         .Uuid(id.ulid)
                                         .Int4(version)
                                         .Int4(static_cast<int32_t>(rotation.scheme))
                                         .Text(rotation.sealed.key_id)
                                         .Bytes(rotation.sealed.nonce)
                                         .Bytes(rotation.sealed.bytes)
                                         .Float8(absl::ToDoubleSeconds(rotation.overlap))
                                         .Text(rotation.hint)
                                         .Text(rotation.public_key))
              .status();
      if (!stored.ok()) return stored;
      locked = Lock(s, id);
      if (!locked.ok()) return locked.status();
    }
    rotated.endpoint = std::move(locked->endpoint);
    absl::StatusOr<EndpointSecret> secret = SecretOf(s, id, stored_version);
    if (!secret.ok()) return secret.status();
    rotated.secret = *std::move(secret);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rotated;
}

absl::StatusOr<std::vector<EndpointForDispatch>> PgEndpointReader::Load(
    const std::vector<EndpointId>& ids) {
  absl::StatusOr<Result> rows = session_.Run(
      sql::kEndpointsLoad, Params().UuidArray(ids, [](const EndpointId& id) { return id.ulid; }));
  if (!rows.ok()) return rows.status();
  std::vector<EndpointForDispatch> endpoints;
  for (int row = 0; row < rows->rows(); ++row) {
    // One row a secret; those of one endpoint come together.
    const EndpointId id{rows->Uuid(row, 0)};
    if (endpoints.empty() || endpoints.back().endpoint.id != id) {
      endpoints.push_back({EndpointOfRow(*rows, row), {}});
    }
    if (!rows->IsNull(row, kEndpointColumns))
      endpoints.back().secrets.push_back(SecretOfRow(*rows, row, kEndpointColumns));
  }
  return endpoints;
}

absl::StatusOr<EndpointChanges> PgEndpointReader::ChangesSince(int64_t position) {
  // From 0 on only the position is wanted: no transaction is that far ahead.
  const int64_t from = position == 0 ? INT64_MAX : position;
  absl::StatusOr<Result> rows = session_.Run(sql::kEndpointChangesSince, Params().Int8(from));
  if (!rows.ok()) return rows.status();
  EndpointChanges changes;
  for (int row = 0; row < rows->rows(); ++row) {
    if (rows->IsNull(row, 0)) {
      changes.position = rows->Int(row, 3);
    } else {
      changes.changes.push_back(
          {rows->Int(row, 0), EndpointId{rows->Uuid(row, 1)}, rows->Bool(row, 2)});
    }
  }
  return changes;
}

}  // namespace postrider
