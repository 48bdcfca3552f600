#include "storage/postgres/event_acceptor.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_join.h"
#include "sql_text.h"
#include "storage/model/subscription.h"

namespace postrider {
namespace {

using Status = AcceptResult::Status;

std::optional<std::string_view> TextOrNull(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

// SEMANTICS, "The event": type and data, and the time where both calls gave one.
bool SameContent(const StoredKey& stored, const NewEvent& event) {
  return (stored.content_digest.empty() || stored.content_digest == event.content_digest) &&
         (!stored.given_event_time || !event.given_event_time ||
          *stored.given_event_time == *event.given_event_time);
}

// What becomes of each event, by what is known under its key: an event of other content refuses its
// whole batch.
std::vector<AcceptResult> Decide(const std::vector<NewEvent>& events,
                                 const std::vector<int32_t>& batches,
                                 const std::vector<std::optional<StoredKey>>& known) {
  std::vector<AcceptResult> results(events.size());
  absl::flat_hash_set<int32_t> refused;
  for (size_t i = 0; i < events.size(); ++i) {
    results[i].event_id = events[i].id;
    results[i].create_time = events[i].create_time;
    if (!known[i]) continue;
    const bool same = SameContent(*known[i], events[i]);
    results[i].status = same ? Status::kDuplicate : Status::kConflict;
    results[i].event_id = known[i]->event_id;
    results[i].create_time = known[i]->create_time;
    results[i].delivery_count = known[i]->delivery_count;
    if (!same) refused.insert(batches[i]);
  }
  for (size_t i = 0; i < events.size() && !refused.empty(); ++i) {
    if (results[i].status == Status::kAccepted && refused.contains(batches[i])) {
      results[i].status = Status::kRefused;
    }
  }
  return results;
}

}  // namespace

PgEventAcceptor::PgEventAcceptor(const SessionOptions& options, Environments& environments,
                                 absl::Duration idempotency_window,
                                 std::function<uint64_t()> random)
    : session_(options),
      environments_(environments),
      idempotency_window_(idempotency_window),
      random_(std::move(random)) {}

absl::StatusOr<std::vector<AcceptResult>> PgEventAcceptor::Accept(
    const std::vector<NewEvent>& events, const std::vector<int32_t>& batches,
    const FanOutLease& lease) {
  std::vector<int32_t> env_nos;
  env_nos.reserve(events.size());
  for (const NewEvent& event : events) {
    absl::StatusOr<int32_t> env_no = environments_.NumberOf(event.tenant, session_);
    if (!env_no.ok()) return env_no.status();
    env_nos.push_back(*env_no);
  }
  const absl::StatusOr<Look> look = LookUp(events, env_nos);
  if (!look.ok()) return look.status();
  std::vector<AcceptResult> results = Decide(events, batches, look->known);
  const absl::Status stored = Store(events, env_nos, *look, lease, results);
  if (!stored.ok()) return stored;
  return results;
}

absl::StatusOr<PgEventAcceptor::Look> PgEventAcceptor::LookUp(const std::vector<NewEvent>& events,
                                                              const std::vector<int32_t>& env_nos) {
  std::vector<size_t> keyed;  // the events with a key
  absl::flat_hash_map<std::pair<int32_t, std::string_view>, size_t> groups;
  std::vector<std::pair<int32_t, std::string_view>> types;  // one a group
  Look look;
  look.known.resize(events.size());
  look.group.reserve(events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    if (!events[i].idempotency_key.empty()) keyed.push_back(i);
    const std::pair<int32_t, std::string_view> type(env_nos[i], events[i].type);
    const auto [group, is_new] = groups.emplace(type, types.size());
    if (is_new) types.push_back(type);
    look.group.push_back(group->second);
  }
  look.matches.resize(types.size());

  params_.Clear();
  params_.Int4Array(keyed, [&](size_t i) { return env_nos[i]; })
      .TextArray(keyed, [&](size_t i) -> std::string_view { return events[i].idempotency_key; })
      .Int4Array(types, [](const auto& type) { return type.first; })
      .TextArray(types,
                 [](const auto& type) { return absl::StrJoin(PatternsMatching(type.second), " "); })
      .Float8(absl::ToDoubleSeconds(idempotency_window_));
  const absl::StatusOr<Result> rows = session_.Run(sql::kAcceptLook, params_);
  if (!rows.ok()) return rows.status();

  for (int row = 0; row < rows->rows(); ++row) {
    const int64_t item = rows->Int(row, 1);
    switch (rows->Int(row, 0)) {
      case 0:
        look.this_window = rows->Time(row, 3);
        if (item != 0) look.guard_window = rows->Time(row, 4);
        break;
      case 1: {
        StoredKey& known = look.known[keyed[static_cast<size_t>(item - 1)]].emplace();
        known.event_id = EventId{rows->Uuid(row, 2)};
        known.create_time = rows->Time(row, 3);
        known.given_event_time = rows->OptionalTime(row, 4);
        known.delivery_count = static_cast<int32_t>(rows->Int(row, 5));
        known.content_digest = rows->Text(row, 6);
        break;
      }
      default:
        look.matches[static_cast<size_t>(item - 1)].push_back(
            {EndpointId{rows->Uuid(row, 2)}, rows->Int(row, 5) != 0});
    }
  }
  return look;
}

absl::Status PgEventAcceptor::Store(const std::vector<NewEvent>& events,
                                    const std::vector<int32_t>& env_nos, const Look& look,
                                    const FanOutLease& lease, std::vector<AcceptResult>& results) {
  struct KeyRow {
    absl::Time window;
    size_t event;
  };
  struct DeliveryRow {
    size_t event;
    NewDelivery* delivery;
    bool ordered;
  };
  std::vector<size_t> accepted;
  std::vector<KeyRow> keys;
  int64_t fan_out = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    if (results[i].status != Status::kAccepted) continue;
    accepted.push_back(i);
    fan_out += static_cast<int64_t>(look.matches[look.group[i]].size());
    if (events[i].idempotency_key.empty()) continue;
    keys.push_back({look.this_window, i});
    if (look.guard_window) keys.push_back({*look.guard_window, i});
  }
  if (fan_out > kMaxFanOut) return absl::OutOfRangeError("too many deliveries for one transaction");
  if (accepted.empty()) return absl::OkStatus();
  if (events.size() > kMaxEventsAtOnce) {
    return absl::OutOfRangeError("too many events for one transaction");
  }
  std::sort(keys.begin(), keys.end(), [&](const KeyRow& a, const KeyRow& b) {
    return std::tie(a.window, env_nos[a.event], events[a.event].idempotency_key) <
           std::tie(b.window, env_nos[b.event], events[b.event].idempotency_key);
  });

  const absl::flat_hash_set<EndpointId> congested(lease.congested.begin(), lease.congested.end());
  std::vector<DeliveryRow> rows;
  rows.reserve(static_cast<size_t>(fan_out));
  for (size_t i : accepted) {
    const std::vector<Match>& endpoints = look.matches[look.group[i]];
    results[i].delivery_count = static_cast<int32_t>(endpoints.size());
    results[i].deliveries.resize(endpoints.size());
    for (size_t j = 0; j < endpoints.size(); ++j) {
      NewDelivery& delivery = results[i].deliveries[j];
      delivery.id = DeliveryId{Ulid::RandomAt(events[i].id.ulid.time(), random_)};
      delivery.endpoint_id = endpoints[j].endpoint_id;
      // What goes in order is claimed, one at a time, by the node that has the endpoint.
      delivery.leased = lease.node_no != FanOutLease::kNobody && !endpoints[j].ordered &&
                        !congested.contains(delivery.endpoint_id);
      rows.push_back({i, &delivery, endpoints[j].ordered});
    }
  }

  params_.Clear();
  params_.TimeArray(keys, [](const KeyRow& k) { return k.window; })
      .Int4Array(keys, [&](const KeyRow& k) { return env_nos[k.event]; })
      .TextArray(
          keys,
          [&](const KeyRow& k) -> std::string_view { return events[k.event].idempotency_key; })
      .UuidArray(keys, [&](const KeyRow& k) { return events[k.event].id.ulid; })
      .BytesArray(
          keys, [&](const KeyRow& k) -> std::string_view { return events[k.event].content_digest; })
      .TimeArray(keys, [&](const KeyRow& k) { return events[k.event].given_event_time; })
      .Int4Array(keys, [&](const KeyRow& k) { return results[k.event].delivery_count; })
      .TimeArray(keys, [&](const KeyRow& k) { return events[k.event].create_time; });
  params_.UuidArray(accepted, [&](size_t i) { return events[i].id.ulid; })
      .Int4Array(accepted, [&](size_t i) { return env_nos[i]; })
      .TextArray(accepted, [&](size_t i) -> std::string_view { return events[i].type; })
      .TimeArray(accepted, [&](size_t i) { return events[i].event_time; })
      .TimeArray(accepted, [&](size_t i) { return events[i].create_time; })
      .Int4Array(accepted, [&](size_t i) { return results[i].delivery_count; })
      .OptionalTextArray(accepted, [&](size_t i) { return TextOrNull(events[i].idempotency_key); })
      .OptionalTextArray(accepted, [&](size_t i) { return TextOrNull(events[i].traceparent); })
      .BytesArray(accepted, [&](size_t i) -> std::string_view { return *events[i].body; });
  params_.UuidArray(rows, [](const DeliveryRow& r) { return r.delivery->id.ulid; })
      .UuidArray(rows, [&](const DeliveryRow& r) { return events[r.event].id.ulid; })
      .UuidArray(rows, [](const DeliveryRow& r) { return r.delivery->endpoint_id.ulid; })
      .Int4Array(rows, [&](const DeliveryRow& r) { return env_nos[r.event]; })
      .TextArray(rows,
                 [&](const DeliveryRow& r) -> std::string_view { return events[r.event].type; })
      .TimeArray(rows, [&](const DeliveryRow& r) { return events[r.event].create_time; })
      .OptionalInt4Array(rows,
                         [&](const DeliveryRow& r) {
                           return r.delivery->leased ? std::optional<int32_t>(lease.node_no)
                                                     : std::nullopt;
                         })
      .OptionalInt4Array(rows, [](const DeliveryRow& r) {
        return r.ordered ? std::optional<int32_t>(static_cast<int32_t>(r.event)) : std::nullopt;
      });
  params_.Float8(absl::ToDoubleSeconds(lease.duration));
  const absl::StatusOr<Result> stored = session_.Run(sql::kAcceptStore, params_);
  if (absl::IsAlreadyExists(stored.status())) {
    return absl::AbortedError("an idempotency key was taken at the same moment");
  }
  if (absl::IsUnavailable(stored.status()) || absl::IsDeadlineExceeded(stored.status())) {
    return absl::UnknownError(stored.status().message());
  }
  if (!stored.ok()) return stored.status();
  const int64_t token = stored->Int(0, 0);
  for (const DeliveryRow& row : rows) row.delivery->lease_token = token;
  return absl::OkStatus();
}

}  // namespace postrider
