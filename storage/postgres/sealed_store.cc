#include "storage/postgres/sealed_store.h"

#include "sql_text.h"

namespace postrider {
namespace {

constexpr absl::Duration kLong = absl::Minutes(1);  // reads whole tables

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
  const Statement& statement =
      kind == SealedKind::kSecret ? sql::kSealedSecrets : sql::kSealedHeaders;
  absl::StatusOr<Result> rows = session_.Run(
      statement, Params().Text(key_id).Uuid(after.endpoint_id.ulid).Int4(after.version).Int4(limit),
      kLong);
  if (!rows.ok()) return rows.status();
  std::vector<SealedValue> values;
  for (int row = 0; row < rows->rows(); ++row) {
    SealedValue value;
    value.endpoint_id = EndpointId{rows->Uuid(row, 0)};
    value.tenant = Tenant{rows->Text(row, 1), rows->Text(row, 2)};
    value.version = static_cast<int32_t>(rows->Int(row, 3));
    value.sealed = {rows->Text(row, 4), rows->Text(row, 5), rows->Text(row, 6)};
    values.push_back(std::move(value));
  }
  return values;
}

absl::StatusOr<bool> PgSealedStore::Replace(SealedKind kind, const SealedValue& value,
                                            const SealedBytes& sealed) {
  const Statement& statement =
      kind == SealedKind::kSecret ? sql::kResealSecret : sql::kResealHeaders;
  absl::StatusOr<Result> rows = session_.Run(statement, Params()
                                                            .Uuid(value.endpoint_id.ulid)
                                                            .Int4(value.version)
                                                            .Bytes(value.sealed.nonce)
                                                            .Text(sealed.key_id)
                                                            .Bytes(sealed.nonce)
                                                            .Bytes(sealed.bytes));
  if (!rows.ok()) return rows.status();
  return rows->affected() > 0;
}

}  // namespace postrider
