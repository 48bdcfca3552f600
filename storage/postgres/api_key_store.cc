#include "storage/postgres/api_key_store.h"

#include <algorithm>
#include <optional>

#include "sql_text.h"

namespace postrider {
namespace {

// A key as api_keys_get.sql and api_keys_list.sql give it.
ApiKey KeyOfRow(const Result& rows, int row) {
  ApiKey key;
  key.id = ApiKeyId{rows.Uuid(row, 0)};
  key.description = rows.Text(row, 1);
  key.scopes = Scopes::FromBits(rows.Int(row, 2));
  key.limit = Tenant{rows.Text(row, 3), rows.Text(row, 4)};
  if (!rows.IsNull(row, 5)) key.certificate_san = rows.Text(row, 5);
  key.create_time = rows.Time(row, 6);
  key.expire_time = rows.OptionalTime(row, 7);
  key.last_use_time = rows.OptionalTime(row, 8);
  return key;
}

absl::StatusOr<ApiKey> GetKey(Session& session, ApiKeyId id) {
  absl::StatusOr<Result> rows = session.Run(sql::kApiKeysGet, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no such key, or it is revoked");
  return KeyOfRow(*rows, 0);
}

absl::Status Insert(Session& session, const ApiKey& key, const std::string& secret_digest,
                    const ApiKeyLimits& limits) {
  const absl::Status status = session
                                  .Run(sql::kApiKeysInsert, Params()
                                                                .Uuid(key.id.ulid)
                                                                .Text(key.description)
                                                                .Int4(key.scopes.bits())
                                                                .Text(key.limit.org_id)
                                                                .Text(key.limit.env_id)
                                                                .OptionalText(key.certificate_san)
                                                                .Bytes(secret_digest)
                                                                .Time(key.expire_time)
                                                                .Int8(limits.per_org)
                                                                .Int8(limits.in_all))
                                  .status();
  if (absl::IsAborted(status)) {
    return absl::ResourceExhaustedError(
        "there are as many keys as there may be: revoke those that nobody uses");
  }
  return status;
}

// What an earlier call answered under the request's id; none: it is this call's from now on.
struct FirstCall {
  ApiKeyId key_id;
  SealedBytes answer;
};
absl::StatusOr<std::optional<FirstCall>> TakeRequest(Session& session, const ApiKey& key,
                                                     const ApiKeyRequest& request) {
  if (request.id.empty()) return std::nullopt;
  absl::StatusOr<Result> taken =
      session.Run(sql::kApiKeyRequestsTake, Params()
                                                .Text(request.caller)
                                                .Text(request.id)
                                                .Bytes(request.digest)
                                                .Uuid(key.id.ulid)
                                                .Text(request.answer.key_id)
                                                .Bytes(request.answer.nonce)
                                                .Bytes(request.answer.bytes));
  if (!taken.ok()) return taken.status();
  if (taken->rows() == 1) return std::nullopt;
  absl::StatusOr<Result> known =
      session.Run(sql::kApiKeyRequestsGet, Params().Text(request.caller).Text(request.id));
  if (!known.ok()) return known.status();
  if (known->rows() == 0) return absl::AbortedError("the request_id changed at this moment");
  if (known->View(0, 0) != request.digest) {
    return absl::AlreadyExistsError("this request_id was used for another request");
  }
  return FirstCall{ApiKeyId{known->Uuid(0, 1)},
                   SealedBytes{known->Text(0, 2), known->Text(0, 3), known->Text(0, 4)}};
}

}  // namespace

absl::StatusOr<ApiKeyStore::Created> PgApiKeyStore::Create(const ApiKey& key,
                                                           const std::string& secret_digest,
                                                           const ApiKeyRequest& request,
                                                           const ApiKeyLimits& limits) {
  auto session = pool_.Take();
  Created created;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    absl::StatusOr<std::optional<FirstCall>> first = TakeRequest(s, key, request);
    if (!first.ok()) return first.status();
    created.first_answer.reset();
    ApiKeyId id = key.id;
    if (first->has_value()) {
      id = (*first)->key_id;
      created.first_answer = std::move((*first)->answer);
    } else if (absl::Status inserted = Insert(s, key, secret_digest, limits); !inserted.ok()) {
      created.certificate_taken = absl::IsAlreadyExists(inserted);
      return inserted;
    }
    absl::StatusOr<ApiKey> stored = GetKey(s, id);
    if (!stored.ok()) return stored.status();
    created.key = *std::move(stored);
    return absl::OkStatus();
  });
  if (!status.ok() && !created.certificate_taken) return status;
  return created;
}

absl::StatusOr<bool> PgApiKeyStore::EverHadKeys() {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kApiKeysAny);
  if (!rows.ok()) return rows.status();
  return rows->Bool(0, 0);
}

absl::StatusOr<bool> PgApiKeyStore::CreateFirst(const ApiKey& key,
                                                const std::string& secret_digest) {
  auto session = pool_.Take();
  bool is_first = false;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    if (absl::Status locked = s.Run(sql::kApiKeysLock).status(); !locked.ok()) return locked;
    absl::StatusOr<Result> rows = s.Run(sql::kApiKeysAny);
    if (!rows.ok()) return rows.status();
    is_first = !rows->Bool(0, 0);
    return is_first ? Insert(s, key, secret_digest, ApiKeyLimits{}) : absl::OkStatus();
  });
  if (!status.ok()) return status;
  return is_first;
}

absl::StatusOr<ApiKey> PgApiKeyStore::Get(ApiKeyId id) {
  auto session = pool_.Take();
  return GetKey(*session, id);
}

absl::StatusOr<Page<ApiKey>> PgApiKeyStore::List(const Tenant& limit, const PageRequest& page) {
  Ulid before;
  before.bytes.fill(0xff);
  auto session = pool_.Take();
  absl::StatusOr<Result> rows =
      session->Run(sql::kApiKeysList, Params()
                                          .Text(limit.org_id)
                                          .Text(limit.env_id)
                                          .Uuid(page.after.value_or(before))
                                          .Int4(page.size + 1));
  if (!rows.ok()) return rows.status();
  Page<ApiKey> keys;
  keys.more = rows->rows() > page.size;
  for (int row = 0; row < std::min(rows->rows(), page.size); ++row) {
    keys.rows.push_back(KeyOfRow(*rows, row));
  }
  return keys;
}

absl::Status PgApiKeyStore::Revoke(ApiKeyId id) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kApiKeysRevoke, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no such key, or it is revoked");
  return absl::OkStatus();
}

absl::StatusOr<ApiKeyChanges> PgApiKeyReader::ChangesSince(int64_t position) {
  absl::StatusOr<Result> rows = session_.Run(sql::kApiKeysSince, Params().Int8(position));
  if (!rows.ok()) return rows.status();
  ApiKeyChanges changes;
  for (int row = 0; row < rows->rows(); ++row) {
    if (rows->IsNull(row, 0)) {
      changes.position = rows->Int(row, 1);
      continue;
    }
    KnownApiKey known;
    known.key.id = ApiKeyId{rows->Uuid(row, 0)};
    known.key.description = rows->Text(row, 2);
    known.key.scopes = Scopes::FromBits(rows->Int(row, 3));
    known.key.limit = Tenant{rows->Text(row, 4), rows->Text(row, 5)};
    if (!rows->IsNull(row, 6)) known.key.certificate_san = rows->Text(row, 6);
    known.key.create_time = rows->Time(row, 7);
    known.key.expire_time = rows->OptionalTime(row, 8);
    known.secret_digest = rows->Text(row, 9);
    known.revoked = rows->Bool(row, 10);
    changes.keys.push_back(std::move(known));
  }
  return changes;
}

absl::Status PgApiKeyReader::NoteUses(const std::vector<std::pair<ApiKeyId, absl::Time>>& uses) {
  return session_
      .Run(sql::kApiKeysUsed,
           Params()
               .UuidArray(uses, [](const auto& use) { return use.first.ulid; })
               .TimeArray(uses, [](const auto& use) { return std::optional(use.second); }))
      .status();
}

}  // namespace postrider
