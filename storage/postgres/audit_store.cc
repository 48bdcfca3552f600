#include "storage/postgres/audit_store.h"

#include <algorithm>
#include <optional>

#include "sql_text.h"
#include "storage/postgres/page.h"

namespace postrider {
namespace {

std::optional<Ulid> UlidOf(const std::optional<ApiKeyId>& id) {
  return id ? std::optional(id->ulid) : std::nullopt;
}

}  // namespace

absl::Status PgAuditStore::Begin(const AuditRecord& record) {
  auto session = pool_.Take();
  return session
      ->Run(sql::kAuditBegin, Params()
                                  .Uuid(record.id.ulid)
                                  .Time(record.create_time)
                                  .Uuid(UlidOf(record.key_id))
                                  .Text(record.remote_address)
                                  .Text(record.rpc)
                                  .Text(record.resource_id)
                                  .Text(record.tenant.org_id)
                                  .Text(record.tenant.env_id))
      .status();
}

absl::Status PgAuditStore::End(const AuditRecord& record) {
  auto session = pool_.Take();
  return session
      ->Run(sql::kAuditEnd, Params()
                                .Uuid(record.id.ulid)
                                .Text(record.resource_id)
                                .Text(record.tenant.org_id)
                                .Text(record.tenant.env_id)
                                .Int4(record.code))
      .status();
}

absl::StatusOr<Page<AuditRecord>> PgAuditStore::List(const AuditFilter& filter,
                                                     const PageRequest& page) {
  const PageBounds bounds = BoundsOf(page, filter.start_time, filter.end_time);
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kAuditList, Params()
                                                                  .Text(filter.tenant.org_id)
                                                                  .Text(filter.tenant.env_id)
                                                                  .Uuid(UlidOf(filter.key_id))
                                                                  .Text(filter.resource_id)
                                                                  .Time(filter.start_time)
                                                                  .Time(filter.end_time)
                                                                  .Uuid(bounds.from)
                                                                  .Uuid(bounds.before)
                                                                  .Int4(page.size + 1));
  if (!rows.ok()) return rows.status();
  Page<AuditRecord> records;
  records.more = rows->rows() > page.size;
  for (int row = 0; row < std::min(rows->rows(), page.size); ++row) {
    AuditRecord record;
    record.id = AuditRecordId{rows->Uuid(row, 0)};
    record.create_time = rows->Time(row, 1);
    if (!rows->IsNull(row, 2)) record.key_id = ApiKeyId{rows->Uuid(row, 2)};
    record.remote_address = rows->Text(row, 3);
    record.rpc = rows->Text(row, 4);
    record.resource_id = rows->Text(row, 5);
    record.tenant = Tenant{rows->Text(row, 6), rows->Text(row, 7)};
    if (!rows->IsNull(row, 8)) record.code = static_cast<int32_t>(rows->Int(row, 8));
    records.rows.push_back(std::move(record));
  }
  return records;
}

}  // namespace postrider
