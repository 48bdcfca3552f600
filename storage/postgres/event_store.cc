#include "storage/postgres/event_store.h"

#include <cstring>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sql_text.h"
#include "storage/model/subscription.h"
#include "storage/postgres/page.h"

namespace postrider {
namespace {

Event EventOfRow(const Result& rows, int row) {
  Event event;
  event.id = EventId{rows.Uuid(row, 0)};
  event.tenant = Tenant{rows.Text(row, 1), rows.Text(row, 2)};
  event.type = rows.Text(row, 3);
  event.event_time = rows.Time(row, 4);
  event.create_time = rows.Time(row, 5);
  event.delivery_count = static_cast<int32_t>(rows.Int(row, 6));
  event.idempotency_key = rows.Text(row, 7);
  event.traceparent = rows.Text(row, 8);
  if (!rows.IsNull(row, 9)) event.body = rows.Text(row, 9);
  return event;
}

}  // namespace

absl::StatusOr<std::vector<EndpointId>> PgEventStore::Match(const Tenant& tenant,
                                                            const std::string& type) {
  Params params;
  params.Text(tenant.org_id).Text(tenant.env_id);
  params.TextArray(PatternsMatching(type),
                   [](const std::string& p) -> std::string_view { return p; });
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kEventsMatch, params);
  if (!rows.ok()) return rows.status();
  std::vector<EndpointId> ids;
  for (int row = 0; row < rows->rows(); ++row) ids.push_back(EndpointId{rows->Uuid(row, 0)});
  return ids;
}

absl::StatusOr<Event> PgEventStore::Get(EventId id) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(sql::kEventsGet, Params().Uuid(id.ulid));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no such event");
  return EventOfRow(*rows, 0);
}

absl::StatusOr<StoredKey> PgEventStore::FindKey(const Tenant& tenant, const std::string& key) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows = session->Run(
      sql::kEventsGetByKey, Params().Text(tenant.org_id).Text(tenant.env_id).Text(key));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::NotFoundError("no event under this idempotency key");
  StoredKey stored;
  stored.event_id = EventId{rows->Uuid(0, 0)};
  stored.create_time = rows->Time(0, 1);
  stored.delivery_count = static_cast<int32_t>(rows->Int(0, 2));
  stored.content_digest = rows->Text(0, 3);
  stored.given_event_time = rows->OptionalTime(0, 4);
  return stored;
}

absl::StatusOr<Page<Event>> PgEventStore::List(const EventFilter& filter, const PageRequest& page,
                                               int64_t max_bytes) {
  std::vector<std::string> exact;
  std::vector<std::string> prefixes;
  for (const std::string& type : filter.types) {
    if (type.ends_with(".*")) {
      // An underscore of a type name is a wildcard to LIKE.
      std::string escaped;
      for (char c : std::string_view(type).substr(0, type.size() - 1)) {
        if (c == '_') escaped.push_back('\\');
        escaped.push_back(c);
      }
      prefixes.push_back(absl::StrCat(escaped, "%"));
    } else {
      exact.push_back(type);
    }
  }
  const auto text = [](const std::string& s) -> std::string_view { return s; };
  auto session = pool_.Take();
  const absl::StatusOr<std::optional<int32_t>> env_no =
      EnvironmentOfFilter(filter.tenant, environments_, *session);
  if (!env_no.ok()) return env_no.status();
  Page<Event> events;
  int64_t bytes = 0;
  // Bodies can be large: they are read in small steps, so that a page never holds much more than
  // its limit.
  PageBounds bounds = BoundsOf(page, filter.start_time, filter.end_time);
  for (;;) {
    // One more than asked for tells whether there is more.
    const int32_t left = page.size + 1 - static_cast<int32_t>(events.rows.size());
    const int32_t step = filter.include_body ? std::min(left, 16) : left;
    Params params;
    params.Text(filter.tenant.org_id)
        .Text(filter.tenant.env_id)
        .Uuid(bounds.before)
        .Uuid(bounds.from)
        .TextArray(exact, text)
        .TextArray(prefixes, text)
        .Int4(step)
        .Bool(filter.include_body)
        .Int4(*env_no)
        .Time(filter.start_time)
        .Time(filter.end_time);
    absl::StatusOr<Result> rows = session->Run(sql::kEventsList, params);
    if (!rows.ok()) return rows.status();
    for (int row = 0; row < rows->rows(); ++row) {
      Event event = EventOfRow(*rows, row);
      bytes += static_cast<int64_t>(event.body ? event.body->size() : 0) + 512;
      events.more = static_cast<int32_t>(events.rows.size()) == page.size ||
                    (!events.rows.empty() && bytes > max_bytes);
      if (events.more) return events;
      bounds.before = event.id.ulid;
      events.rows.push_back(std::move(event));
    }
    if (rows->rows() < step) return events;
  }
}

}  // namespace postrider
