#include "storage/postgres/dispatch_store.h"

#include <algorithm>
#include <limits>

#include "sql_text.h"
#include "storage/postgres/delivery_store.h"
#include "storage/postgres/event_ids.h"

namespace postrider {
namespace {

int32_t Micros(absl::Duration duration) {
  return static_cast<int32_t>(std::clamp<int64_t>(absl::ToInt64Microseconds(duration), 0,
                                                  std::numeric_limits<int32_t>::max()));
}

std::vector<EndpointCount> CountsOf(const Result& rows) {
  std::vector<EndpointCount> counts;
  for (int row = 0; row < rows.rows(); ++row) {
    if (rows.IsNull(row, 0)) continue;
    counts.push_back({EndpointId{rows.Uuid(row, 0)}, static_cast<int32_t>(rows.Int(row, 2)),
                      static_cast<DisabledReason>(rows.Int(row, 1))});
  }
  return counts;
}

}  // namespace

absl::StatusOr<std::vector<DueEndpoint>> PgDispatchStore::FindDue(EndpointId after, int32_t limit) {
  params_.Clear();
  params_.Int4(limit).Uuid(after.ulid);
  absl::StatusOr<Result> rows = session_.Run(sql::kFindDue, params_);
  if (!rows.ok()) return rows.status();
  std::vector<DueEndpoint> due;
  for (int row = 0; row < rows->rows(); ++row) {
    due.push_back({EndpointId{rows->Uuid(row, 0)},
                   rows->OptionalTime(row, 1).value_or(absl::InfiniteFuture()),
                   rows->Bool(row, 2)});
  }
  return due;
}

absl::StatusOr<std::vector<ClaimedDelivery>> PgDispatchStore::Claim(
    const std::vector<ClaimOrder>& orders, int32_t node_no, absl::Duration lease) {
  params_.Clear();
  params_.UuidArray(orders, [](const ClaimOrder& o) { return o.endpoint_id.ulid; })
      .Int4Array(orders, [](const ClaimOrder& o) { return o.count; })
      .BoolArray(orders, [](const ClaimOrder& o) { return o.ordered; })
      .Int4(node_no)
      .Float8(absl::ToDoubleSeconds(lease));
  absl::StatusOr<Result> rows = session_.Run(sql::kClaim, params_);
  if (!rows.ok()) return rows.status();
  std::vector<ClaimedDelivery> claimed;
  for (int row = 0; row < rows->rows(); ++row) {
    ClaimedDelivery delivery;
    delivery.id = DeliveryId{rows->Uuid(row, 0)};
    delivery.event_id = EventId{rows->Uuid(row, 1)};
    delivery.endpoint_id = EndpointId{rows->Uuid(row, 2)};
    delivery.origin = static_cast<DeliveryOrigin>(rows->Int(row, 3));
    delivery.attempt_count = static_cast<int32_t>(rows->Int(row, 4));
    delivery.failure_count = static_cast<int32_t>(rows->Int(row, 5));
    delivery.lease_token = rows->Int(row, 6);
    delivery.in_order = rows->Bool(row, 7);
    if (!rows->IsNull(row, 8)) {
      delivery.body = std::make_shared<const std::string>(rows->View(row, 8));
    }
    claimed.push_back(std::move(delivery));
  }
  return claimed;
}

void PgDispatchStore::SetLeases(const std::vector<LeaseRef>& leases) {
  params_.Clear();
  params_.UuidArray(leases, [](const LeaseRef& l) { return l.id.ulid; })
      .Int8Array(leases, [](const LeaseRef& l) { return l.token; });
}

absl::Status PgDispatchStore::Release(const std::vector<LeaseRef>& leases) {
  SetLeases(leases);
  return session_.Run(sql::kRelease, params_).status();
}

absl::Status PgDispatchStore::ReleaseUntold(const std::vector<EventId>& events, int32_t node_no) {
  std::vector<IdRange> made;  // each once
  made.reserve(events.size());
  for (const EventId& id : events) made.push_back(IdsBeside(id));
  std::sort(made.begin(), made.end());
  made.erase(std::unique(made.begin(), made.end()), made.end());
  params_.Clear();
  params_.UuidArray(events, [](const EventId& id) { return id.ulid; })
      .Int4(node_no)
      .UuidArray(made, [](const IdRange& ids) { return ids.from; })
      .UuidArray(made, [](const IdRange& ids) { return ids.before; });
  return session_.Run(sql::kReleaseUntold, params_).status();
}

absl::Status PgDispatchStore::Expire(const std::vector<LeaseRef>& leases) {
  SetLeases(leases);
  return session_.Run(sql::kExpireLeased, params_).status();
}

absl::StatusOr<std::vector<EndpointCount>> PgDispatchStore::Record(
    const std::vector<OutcomeRecord>& outcomes, const std::vector<EndpointTally>& tallies) {
  using O = OutcomeRecord;
  params_.Clear();
  params_.UuidArray(outcomes, [](const O& o) { return o.attempt.delivery_id.ulid; })
      .Int8Array(outcomes, [](const O& o) { return o.lease_token; })
      .UuidArray(outcomes, [](const O& o) { return o.attempt.endpoint_id.ulid; })
      .Int4Array(outcomes, [](const O& o) { return static_cast<int32_t>(o.state); })
      .Int4Array(outcomes, [](const O& o) { return static_cast<int32_t>(o.state_reason); })
      .TimeArray(outcomes,
                 [](const O& o) -> std::optional<absl::Time> {
                   if (o.state != DeliveryState::kPending) return std::nullopt;
                   return o.next_attempt_time;
                 })
      .BoolArray(outcomes, [](const O& o) { return o.uses_retry; })
      .UuidArray(outcomes, [](const O& o) { return o.attempt.id.ulid; })
      .TimeArray(outcomes, [](const O& o) { return o.attempt.start_time; })
      .Int8Array(outcomes, [](const O& o) { return absl::ToInt64Microseconds(o.attempt.duration); })
      .Int4Array(outcomes, [](const O& o) { return static_cast<int32_t>(o.attempt.outcome); })
      .Int4Array(outcomes, [](const O& o) { return o.attempt.http_status; })
      .TextArray(outcomes, [](const O& o) -> std::string_view { return o.attempt.error; })
      .TextArray(outcomes, [](const O& o) -> std::string_view { return o.attempt.remote_address; })
      .Int4Array(outcomes, [](const O& o) { return o.attempt.send_count; })
      .BytesArray(outcomes, [](const O& o) { return HeadersToBytes(o.attempt.response_headers); })
      .BytesArray(outcomes, [](const O& o) -> std::string_view { return o.attempt.response_body; })
      .BoolArray(outcomes, [](const O& o) { return o.attempt.response_body_truncated; })
      .Int4Array(outcomes, [](const O& o) { return Micros(o.attempt.phases.dns); })
      .Int4Array(outcomes, [](const O& o) { return Micros(o.attempt.phases.connect); })
      .Int4Array(outcomes, [](const O& o) { return Micros(o.attempt.phases.tls); })
      .Int4Array(outcomes, [](const O& o) { return Micros(o.attempt.phases.first_byte); })
      .TimeArray(outcomes, [](const O& o) { return o.complete_time; });
  using T = EndpointTally;
  params_.UuidArray(tallies, [](const T& t) { return t.endpoint_id.ulid; })
      .Int4Array(tallies, [](const T& t) { return t.leading_failures; })
      .Int4Array(tallies, [](const T& t) { return t.longest_run; })
      .Int4Array(tallies, [](const T& t) { return t.trailing_failures; })
      .BoolArray(tallies, [](const T& t) { return t.has_success; })
      .Int4Array(tallies, [](const T& t) { return t.threshold; })
      .BoolArray(tallies, [](const T& t) { return t.gone; });
  absl::StatusOr<Result> rows = session_.Run(sql::kRecord, params_);
  if (!rows.ok()) return rows.status();
  return CountsOf(*rows);
}

absl::StatusOr<std::vector<LeaseRef>> PgDispatchStore::LeasesHeld(
    const std::vector<LeaseRef>& leases) {
  return Select(sql::kLeasesHeld, leases);
}

absl::StatusOr<std::vector<LeaseRef>> PgDispatchStore::LeasesAwaited(
    const std::vector<LeaseRef>& leases) {
  return Select(sql::kLeasesAwaited, leases);
}

absl::StatusOr<std::vector<LeaseRef>> PgDispatchStore::Select(const Statement& statement,
                                                              const std::vector<LeaseRef>& leases) {
  SetLeases(leases);
  absl::StatusOr<Result> rows = session_.Run(statement, params_);
  if (!rows.ok()) return rows.status();
  std::vector<LeaseRef> selected;
  for (int row = 0; row < rows->rows(); ++row) {
    selected.push_back({DeliveryId{rows->Uuid(row, 0)}, rows->Int(row, 1)});
  }
  return selected;
}

absl::StatusOr<std::vector<EndpointCount>> PgDispatchStore::RecordLate(
    const OutcomeRecord& outcome, const std::vector<EndpointTally>& tallies) {
  std::vector<EndpointCount> counts;
  const absl::Status status = session_.Transaction([&](Session&) -> absl::Status {
    counts.clear();
    absl::StatusOr<bool> was_awaited = RecordLateAlone(outcome);
    if (!was_awaited.ok() || !*was_awaited) return was_awaited.status();
    absl::StatusOr<std::vector<EndpointCount>> counted = Record({}, tallies);
    if (counted.ok()) counts = *std::move(counted);
    return counted.status();
  });
  if (!status.ok()) return status;
  return counts;
}

absl::StatusOr<bool> PgDispatchStore::RecordLateAlone(const OutcomeRecord& outcome) {
  const Attempt& attempt = outcome.attempt;
  const std::vector<int32_t> phases = {Micros(attempt.phases.dns), Micros(attempt.phases.connect),
                                       Micros(attempt.phases.tls),
                                       Micros(attempt.phases.first_byte)};
  params_.Clear();
  params_.Uuid(attempt.delivery_id.ulid)
      .Int8(outcome.lease_token)
      .Bool(attempt.outcome == AttemptOutcome::kSucceeded)
      .Uuid(attempt.id.ulid)
      .Time(attempt.start_time)
      .Int8(absl::ToInt64Microseconds(attempt.duration))
      .Int4(static_cast<int32_t>(attempt.outcome))
      .Int4(attempt.http_status)
      .Text(attempt.error)
      .Text(attempt.remote_address)
      .Int4(attempt.send_count)
      .Bytes(HeadersToBytes(attempt.response_headers))
      .Bytes(attempt.response_body)
      .Bool(attempt.response_body_truncated)
      .Int4Array(phases, [](int32_t us) { return us; })
      .Time(outcome.complete_time)
      .Uuid(attempt.event_id.ulid);
  absl::StatusOr<Result> rows = session_.Run(sql::kRecordLate, params_);
  if (!rows.ok()) return rows.status();
  bool counts = false;
  for (int row = 0; row < rows->rows(); ++row) counts |= rows->Int(row, 0) == 2;
  return counts;
}

absl::Status PgDispatchStore::Poison(const OutcomeRecord& outcome) {
  params_.Clear();
  params_.Uuid(outcome.attempt.delivery_id.ulid)
      .Int8(outcome.lease_token)
      .Uuid(outcome.attempt.id.ulid)
      .Time(outcome.attempt.start_time);
  return session_.Run(sql::kPoison, params_).status();
}

absl::Status PgDispatchStore::AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no) {
  using T = EndpointTotal;
  params_.Clear();
  params_.UuidArray(totals, [](const T& t) { return t.endpoint_id.ulid; })
      .TimeArray(totals, [](const T& t) { return t.hour; })
      .Int4Array(totals, [](const T& t) { return static_cast<int32_t>(t.outcome); })
      .Int4Array(totals, [](const T& t) { return t.duration_bucket; })
      .Int8Array(totals, [](const T& t) { return t.count; })
      .Int4(node_no);
  return session_.Run(sql::kTotalsAdd, params_).status();
}

absl::StatusOr<std::vector<FreedWork>> PgDispatchStore::TakeOver(const std::vector<int32_t>& gone,
                                                                 const std::vector<int32_t>& live,
                                                                 int32_t limit,
                                                                 absl::Duration lease) {
  const auto self = [](int32_t value) { return value; };
  params_.Clear();
  params_.Int4Array(gone, self)
      .Int4Array(live, self)
      .Int4(limit)
      .Float8(absl::ToDoubleSeconds(lease));
  absl::StatusOr<Result> rows = session_.Run(sql::kTakeOver, params_);
  if (!rows.ok()) return rows.status();
  std::vector<FreedWork> freed;
  for (int row = 0; row < rows->rows(); ++row) {
    freed.push_back({EndpointId{rows->Uuid(row, 0)}, static_cast<int32_t>(rows->Int(row, 1)),
                     static_cast<int32_t>(rows->Int(row, 2))});
  }
  return freed;
}

}  // namespace postrider
