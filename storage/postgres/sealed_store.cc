#include "storage/postgres/sealed_store.h"

#include <cstdlib>

#include "sql_text.h"

namespace postrider {
namespace {

constexpr absl::Duration kLong = absl::Minutes(1);  // reads whole tables

struct Statements {
  const Statement& list;
  const Statement& replace;
};

Statements StatementsOf(SealedKind kind) {
  switch (kind) {
    case SealedKind::kSecret:
      return {sql::kSealedSecrets, sql::kResealSecret};
    case SealedKind::kHeaders:
      return {sql::kSealedHeaders, sql::kResealHeaders};
    case SealedKind::kApiKeyAnswer:
      return {sql::kSealedApiKeys, sql::kResealApiKey};
  }
  std::abort();
}

}  // namespace

absl::StatusOr<std::map<std::string, int64_t>> PgSealedStore::KeyIds() {
  absl::StatusOr<Result> rows = session_.Run(sql::kSealedKeyIds, {}, kLong);
  if (!rows.ok()) return rows.status();
  std::map<std::string, int64_t> ids;
  for (int row = 0; row < rows->rows(); ++row) ids[rows->Text(row, 0)] = rows->Int(row, 1);
  return ids;
}

absl::StatusOr<std::vector<SealedValue>> PgSealedStore::NotUnder(SealedKind kind,
                                                                 const std::string& key_id,
                                                                 const SealedValue& after,
                                                                 int32_t limit) {
  absl::StatusOr<Result> rows =
      session_.Run(StatementsOf(kind).list,
                   Params().Text(key_id).Uuid(after.owner).Int4(after.version).Int4(limit), kLong);
  if (!rows.ok()) return rows.status();
  std::vector<SealedValue> values;
  for (int row = 0; row < rows->rows(); ++row) {
    SealedValue value;
    value.owner = rows->Uuid(row, 0);
    value.tenant = Tenant{rows->Text(row, 1), rows->Text(row, 2)};
    value.version = static_cast<int32_t>(rows->Int(row, 3));
    value.sealed = {rows->Text(row, 4), rows->Text(row, 5), rows->Text(row, 6)};
    values.push_back(std::move(value));
  }
  return values;
}

absl::StatusOr<bool> PgSealedStore::Replace(SealedKind kind, const SealedValue& value,
                                            const SealedBytes& sealed) {
  absl::StatusOr<Result> rows =
      session_.Run(StatementsOf(kind).replace, Params()
                                                   .Uuid(value.owner)
                                                   .Int4(value.version)
                                                   .Bytes(value.sealed.nonce)
                                                   .Text(sealed.key_id)
                                                   .Bytes(sealed.nonce)
                                                   .Bytes(sealed.bytes));
  if (!rows.ok()) return rows.status();
  return rows->affected() > 0;
}

}  // namespace postrider
