#include "storage/postgres/delivery_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sql_text.h"
#include "storage/postgres/event_ids.h"
#include "storage/postgres/page.h"
#include "storage/postgres/request_ids.h"

namespace postrider {
namespace {

constexpr int kDeliveryEnvColumn = 13;  // of deliveries_get

Delivery DeliveryOfRow(const Result& rows, int row) {
  Delivery delivery;
  delivery.id = DeliveryId{rows.Uuid(row, 0)};
  delivery.event_id = EventId{rows.Uuid(row, 1)};
  delivery.endpoint_id = EndpointId{rows.Uuid(row, 2)};
  delivery.tenant = Tenant{rows.Text(row, 3), rows.Text(row, 4)};
  delivery.event_type = rows.Text(row, 5);
  delivery.origin = static_cast<DeliveryOrigin>(rows.Int(row, 6));
  delivery.state = static_cast<DeliveryState>(rows.Int(row, 7));
  delivery.state_reason = static_cast<StateReason>(rows.Int(row, 8));
  delivery.attempt_count = static_cast<int32_t>(rows.Int(row, 9));
  delivery.next_attempt_time = rows.OptionalTime(row, 10);
  delivery.create_time = rows.Time(row, 11);
  delivery.complete_time = rows.OptionalTime(row, 12);
  // The time of an attempt that runs already says nothing.
  if (delivery.state != DeliveryState::kPending) delivery.next_attempt_time.reset();
  return delivery;
}

Attempt AttemptOfRow(const Result& rows, int row) {
  Attempt attempt;
  attempt.id = AttemptId{rows.Uuid(row, 0)};
  attempt.delivery_id = DeliveryId{rows.Uuid(row, 1)};
  attempt.event_id = EventId{rows.Uuid(row, 2)};
  attempt.endpoint_id = EndpointId{rows.Uuid(row, 3)};
  attempt.number = static_cast<int32_t>(rows.Int(row, 4));
  attempt.origin = static_cast<DeliveryOrigin>(rows.Int(row, 5));
  attempt.start_time = rows.Time(row, 6);
  attempt.duration = absl::Microseconds(rows.Int(row, 7));
  attempt.outcome = static_cast<AttemptOutcome>(rows.Int(row, 8));
  attempt.http_status = static_cast<int32_t>(rows.Int(row, 9));
  attempt.error = rows.Text(row, 10);
  attempt.remote_address = rows.Text(row, 11);
  attempt.send_count = static_cast<int32_t>(rows.Int(row, 12));
  attempt.response_headers = HeadersFromBytes(rows.View(row, 13));
  attempt.response_body = rows.Text(row, 14);
  attempt.response_body_truncated = rows.Bool(row, 15);
  const std::vector<int64_t> phases = rows.IntArray(row, 16);
  if (phases.size() == 4) {
    attempt.phases = {absl::Microseconds(phases[0]), absl::Microseconds(phases[1]),
                      absl::Microseconds(phases[2]), absl::Microseconds(phases[3])};
  }
  return attempt;
}

struct Found {
  Delivery delivery;
  int32_t env_no = 0;
};

absl::StatusOr<Found> Find(Session& session, DeliveryId id) {
  absl::StatusOr<Result> rows = session.Run(sql::kDeliveriesGet, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no such delivery");
  return Found{DeliveryOfRow(*rows, 0), static_cast<int32_t>(rows->Int(0, kDeliveryEnvColumn))};
}

Params& OptionalUuid(Params& params, std::optional<Ulid> id) {
  return id ? params.Uuid(*id) : params.OptionalText("");
}

}  // namespace

std::string HeadersToBytes(const HeaderList& headers) {
  std::string bytes;
  for (const auto& [name, value] : headers) absl::StrAppend(&bytes, name, ": ", value, "\r\n");
  return bytes;
}

HeaderList HeadersFromBytes(std::string_view bytes) {
  HeaderList headers;
  while (!bytes.empty()) {
    const size_t end = bytes.find("\r\n");
    const std::string_view line = bytes.substr(0, end);
    const size_t colon = line.find(": ");
    if (colon != std::string_view::npos) {
      headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 2);
  }
  return headers;
}

absl::StatusOr<Delivery> PgDeliveryStore::Get(DeliveryId id) {
  auto session = pool_.Take();
  absl::StatusOr<Found> found = Find(*session, id);
  if (!found.ok()) return found.status();
  return std::move(found->delivery);
}

absl::StatusOr<Page<Delivery>> PgDeliveryStore::List(const DeliveryFilter& filter,
                                                     const PageRequest& page) {
  auto session = pool_.Take();
  const absl::StatusOr<std::optional<int32_t>> env_no =
      EnvironmentOfFilter(filter.tenant, environments_, *session);
  if (!env_no.ok()) return env_no.status();
  const PageBounds bounds = BoundsOf(page, filter.start_time, filter.end_time);
  Params params;
  params.Text(filter.tenant.org_id).Text(filter.tenant.env_id);
  OptionalUuid(params, filter.endpoint_id ? std::optional(filter.endpoint_id->ulid) : std::nullopt);
  params.Int4(filter.state ? static_cast<int32_t>(*filter.state) : 0)
      .Uuid(bounds.before)
      .Uuid(bounds.from)
      .Int4(page.size + 1)
      .Int4(*env_no)
      .Time(filter.start_time)
      .Time(filter.end_time);
  if (filter.event_id) {
    const IdRange made = IdsBeside(*filter.event_id);
    params.Uuid(filter.event_id->ulid).Uuid(made.from).Uuid(made.before);
  }
  absl::StatusOr<Result> rows =
      session->Run(filter.event_id ? sql::kDeliveriesListOfEvent : sql::kDeliveriesList, params);
  if (!rows.ok()) return rows.status();
  Page<Delivery> deliveries;
  deliveries.more = rows->rows() > page.size;
  for (int row = 0; row < std::min(rows->rows(), page.size); ++row) {
    deliveries.rows.push_back(DeliveryOfRow(*rows, row));
  }
  return deliveries;
}

absl::StatusOr<Page<Attempt>> PgDeliveryStore::ListAttempts(const AttemptFilter& filter,
                                                            const PageRequest& page,
                                                            int64_t max_bytes) {
  PageBounds bounds = BoundsOf(page, filter.start_time, std::nullopt);
  auto session = pool_.Take();
  Page<Attempt> attempts;
  int64_t bytes = 0;
  for (;;) {
    // One more than asked for tells whether there is more.
    const int32_t step =
        std::min<int32_t>(page.size + 1 - static_cast<int32_t>(attempts.rows.size()), 256);
    Params params;
    OptionalUuid(params,
                 filter.delivery_id ? std::optional(filter.delivery_id->ulid) : std::nullopt);
    OptionalUuid(params,
                 filter.endpoint_id ? std::optional(filter.endpoint_id->ulid) : std::nullopt);
    params.Int4(filter.outcome ? static_cast<int32_t>(*filter.outcome) : 0)
        .Time(filter.start_time)
        .Time(filter.end_time)
        .Uuid(bounds.before)
        .Int4(step)
        .Uuid(bounds.from);
    absl::StatusOr<Result> rows = session->Run(sql::kAttemptsList, params);
    if (!rows.ok()) return rows.status();
    for (int row = 0; row < rows->rows(); ++row) {
      Attempt attempt = AttemptOfRow(*rows, row);
      bytes +=
          512 + static_cast<int64_t>(attempt.response_body.size() + rows->View(row, 13).size());
      attempts.more = static_cast<int32_t>(attempts.rows.size()) == page.size ||
                      (!attempts.rows.empty() && bytes > max_bytes);
      if (attempts.more) return attempts;
      bounds.before = attempt.id.ulid;
      attempts.rows.push_back(std::move(attempt));
    }
    if (rows->rows() < step) return attempts;
  }
}

absl::StatusOr<Delivery> PgDeliveryStore::Redeliver(DeliveryId id, DeliveryId new_id,
                                                    const RequestId& request_id) {
  auto session = pool_.Take();
  Delivery made;
  const absl::Status status = session->Transaction([&](Session& s) -> absl::Status {
    absl::StatusOr<Found> found = Find(s, id);
    if (!found.ok()) return found.status();
    const auto known =
        TakeRequestId(s, found->env_no, RequestMethod::kRedeliver, request_id, {new_id.ulid, 0});
    if (!known.ok()) return known.status();
    if (!known->has_value()) {
      absl::StatusOr<Result> rows =
          s.Run(sql::kRedeliver, Params().Uuid(id.ulid).Uuid(new_id.ulid));
      if (!rows.ok()) return rows.status();
      if (rows->rows() == 0) {
        return absl::FailedPreconditionError(
            "the event's payload is gone or the endpoint was deleted: nothing can be sent again");
      }
    }
    found = Find(s, known->has_value() ? DeliveryId{(*known)->resource_id} : new_id);
    if (!found.ok()) return found.status();
    made = std::move(found->delivery);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return made;
}

absl::StatusOr<Delivery> PgDeliveryStore::Cancel(DeliveryId id) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kCancel, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  absl::StatusOr<Found> found = Find(*session, id);
  if (!found.ok()) return found.status();
  if (found->delivery.state != DeliveryState::kCanceled) {
    return absl::FailedPreconditionError("this delivery has ended already");
  }
  return std::move(found->delivery);
}

}  // namespace postrider
