#include "storage/postgres/open_delivery_reader.h"

#include "sql_text.h"

namespace postrider {

absl::StatusOr<std::vector<std::string>> PgOpenDeliveryReader::OrgsWithOpenDeliveries(
    int64_t at_least) {
  absl::StatusOr<Result> rows = session_.Run(sql::kOpenByOrg, Params().Int8(at_least));
  if (!rows.ok()) return rows.status();
  std::vector<std::string> orgs;
  for (int row = 0; row < rows->rows(); ++row) orgs.push_back(rows->Text(row, 0));
  return orgs;
}

}  // namespace postrider
