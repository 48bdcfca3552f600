#include "storage/postgres/purge_store.h"

#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "sql_text.h"
#include "storage/postgres/event_ids.h"

namespace postrider {
namespace {

constexpr int32_t kRowsAtOnce = 2000;
constexpr absl::Duration kLong = absl::Minutes(1);  // a lookup through big tables may take its time
// A round that found something is followed by another, for what was committed beside it.
constexpr int kRounds = 3;

// Runs a statement that names a limit last until it changes nothing more; gives how many rows it
// changed in all. A deadlock with the delivery path is tried again.
absl::StatusOr<int64_t> RunUntilDone(Session& session, const Statement& statement,
                                     const Params& params, const std::function<bool()>& go_on) {
  int64_t total = 0;
  int64_t changed = 0;
  do {
    if (!go_on()) return absl::CancelledError("stopped before everything was erased");
    const absl::Status status = session.Transaction([&](Session& s) -> absl::Status {
      absl::StatusOr<Result> rows = s.Run(statement, params, kLong);
      if (!rows.ok()) return rows.status();
      changed = rows->affected();
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    total += changed;
  } while (changed > 0);
  return total;
}

absl::StatusOr<int64_t> EraseResponses(Session& session, EventId id) {
  const IdRange made = IdsBeside(id);
  int64_t erased = 0;
  Ulid last{};
  for (;;) {
    absl::StatusOr<Result> rows = session.Run(
        sql::kPurgeEventResponses,
        Params().Uuid(id.ulid).Uuid(last).Int4(kRowsAtOnce).Uuid(made.from).Uuid(made.before),
        kLong);
    if (!rows.ok()) return rows.status();
    if (rows->IsNull(0, 0)) return erased;
    last = rows->Uuid(0, 0);
    erased += rows->Int(0, 1);
  }
}

// As RunUntilDone, endpoint by endpoint, so that those that have nothing any more are not asked
// again.
absl::StatusOr<int64_t> EraseAttempts(Session& session, const std::vector<int32_t>& environments,
                                      const std::function<bool()>& go_on) {
  int64_t erased = 0;
  Ulid last{};
  for (;;) {
    if (!go_on()) return absl::CancelledError("stopped before everything was erased");
    Params params;
    params.Int4Array(environments, [](int32_t number) { return number; })
        .Int4(kRowsAtOnce)
        .Uuid(last);
    bool done = false;
    int64_t changed = 0;
    const absl::Status status = session.Transaction([&](Session& s) -> absl::Status {
      // A bitmap of an endpoint is made of all that it has, and that for each step.
      const absl::Status set = s.Execute("SET LOCAL enable_bitmapscan = off", kLong);
      if (!set.ok()) return set;
      absl::StatusOr<Result> rows = s.Run(sql::kPurgeOrgAttempts, params, kLong);
      if (!rows.ok()) return rows.status();
      done = rows->IsNull(0, 0);
      if (!done) last = rows->Uuid(0, 0);
      changed = rows->Int(0, 1);
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    erased += changed;
    if (done) return erased;
  }
}

}  // namespace

absl::StatusOr<EventErasure> PgPurgeStore::PurgeEvent(EventId id) {
  auto session = pool_.Take();
  EventErasure erasure;
  const IdRange made = IdsBeside(id);
  absl::StatusOr<Result> found = session->Run(sql::kPurgeEvent, Params().Uuid(id.ulid));
  if (!found.ok()) return found.status();
  if (found->rows() == 0) return absl::NotFoundError("no such event");
  erasure.payload = found->Bool(0, 0);
  // Without its body nothing makes a delivery of it any more, so what follows comes to an end.
  const absl::StatusOr<int64_t> canceled =
      RunUntilDone(*session, sql::kPurgeEventDeliveries,
                   Params().Uuid(id.ulid).Int4(kRowsAtOnce).Uuid(made.from).Uuid(made.before),
                   [] { return true; });
  if (!canceled.ok()) return canceled.status();
  erasure.canceled_deliveries = *canceled;
  if (absl::Status forgotten =
          session->Run(sql::kPurgeEventDigest, Params().Uuid(id.ulid), kLong).status();
      !forgotten.ok()) {
    return forgotten;
  }
  const absl::StatusOr<int64_t> responses = EraseResponses(*session, id);
  if (!responses.ok()) return responses.status();
  erasure.responses = *responses;
  return erasure;
}

absl::StatusOr<OrgErasure> PgPurgeStore::PurgeOrg(const std::string& org_id,
                                                  const std::function<bool()>& go_on) {
  auto session = pool_.Take();
  // Nobody of the org makes anything new from here on.
  absl::StatusOr<Result> callers = session->Run(sql::kPurgeOrgCallers, Params().Text(org_id));
  if (!callers.ok()) return callers.status();
  OrgErasure erasure;
  erasure.api_keys = callers->Int(0, 0);
  absl::StatusOr<Result> rows = session->Run(sql::kPurgeOrgEnvironments, Params().Text(org_id));
  if (!rows.ok()) return rows.status();
  std::vector<int32_t> environments;
  for (int row = 0; row < rows->rows(); ++row) {
    environments.push_back(static_cast<int32_t>(rows->Int(row, 0)));
  }
  if (environments.empty()) return erasure;
  int64_t keys = 0;
  int64_t requests = 0;
  Params params;
  params.Int4Array(environments, [](int32_t number) { return number; }).Int4(kRowsAtOnce);
  using Step = std::function<absl::StatusOr<int64_t>()>;
  const auto all_of = [&](const Statement& statement) -> Step {
    return [&, statement] { return RunUntilDone(*session, statement, params, go_on); };
  };
  // Endpoints first: then nothing more is sent. Attempts before their deliveries and those before
  // their events: what is left by a crash can still be found by its owner, and purged.
  const struct {
    Step erase;
    int64_t& count;
  } steps[] = {
      {all_of(sql::kPurgeOrgEndpoints), erasure.endpoints},
      {all_of(sql::kPurgeOrgOpen), erasure.deliveries},
      {[&] { return EraseAttempts(*session, environments, go_on); }, erasure.attempts},
      {all_of(sql::kPurgeOrgClosed), erasure.deliveries},
      {all_of(sql::kPurgeOrgEvents), erasure.events},
      {all_of(sql::kPurgeOrgKeys), keys},
      {all_of(sql::kPurgeOrgRequests), requests},
  };
  for (int round = 0; round < kRounds; ++round) {
    int64_t erased = 0;
    for (const auto& step : steps) {
      const absl::StatusOr<int64_t> count = step.erase();
      if (!count.ok()) return count.status();
      step.count += *count;
      erased += *count;
    }
    if (erased == 0) break;
  }
  return erasure;
}

absl::StatusOr<OrgStats> PgPurgeStore::StatsOf(const Tenant& tenant) {
  auto session = pool_.Take();
  absl::StatusOr<Result> rows =
      session->Run(sql::kOrgStats, Params().Text(tenant.org_id).Text(tenant.env_id), kLong);
  if (!rows.ok()) return rows.status();
  OrgStats stats;
  for (int row = 0; row < rows->rows(); ++row) {
    const int64_t which = rows->Int(row, 1);
    const int64_t count = rows->Int(row, 2);
    switch (rows->Int(row, 0)) {
      case 1:
        stats.endpoints += count;
        if (which == static_cast<int64_t>(EndpointState::kDisabled)) {
          stats.disabled_endpoints += count;
        }
        break;
      case 2:
        stats.events = count;
        break;
      case 3:
        stats.deliveries[static_cast<DeliveryState>(which)] += count;
        break;
      case 4:
        stats.attempts[static_cast<AttemptOutcome>(which)] += count;
        break;
    }
  }
  return stats;
}

}  // namespace postrider
