#include "tests/bench/backlog_case.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/throughput_case.h"
#include "tests/bench/usage.h"

namespace postrider::bench {
namespace {

constexpr absl::Duration kDoneTimeout = absl::Minutes(30);

// As the fan-out stores them, but leased to nobody: one delivery an event, the endpoints in turn.
std::string InsertDue(int64_t events, int payload_bytes) {
  return absl::StrCat(
      "WITH made AS (SELECT ulid_at(now()) AS event_id, ulid_at(now()) AS delivery_id, i "
      "FROM generate_series(1, ",
      events,
      ") AS i), targets AS (SELECT endpoint_id, env_no, row_number() OVER () - 1 AS place, "
      "count(*) OVER () AS count FROM endpoints), rows AS (SELECT m.event_id, m.delivery_id, "
      "t.endpoint_id, t.env_no FROM made m JOIN targets t ON t.place = m.i % t.count), stored AS ("
      "INSERT INTO events (event_id, env_no, type, event_time, create_time, delivery_count, body, "
      "commit_xid) SELECT event_id, env_no, 'bench.due', now(), now(), 1, "
      "convert_to(format('{\"id\":\"%s\",\"text\":\"%s\"}', event_id, repeat('x', ",
      payload_bytes,
      ")), 'UTF8'), pg_current_xact_id()::text::bigint FROM rows) "
      "INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, "
      "origin, create_time, next_attempt_time) SELECT delivery_id, event_id, endpoint_id, env_no, "
      "'bench.due', 1, now(), now() FROM rows");
}

}  // namespace

absl::StatusOr<Report> RunBacklog(const Case& self, FastReceiver& receiver) {
  receiver.SetDelay(self.settings.receiver_delay);
  Report report(self.name, Describe(self));
  for (int run = 0; run < self.settings.runs; ++run) {
    absl::StatusOr<std::unique_ptr<Rig>> started = Rig::Start(receiver, self.settings.rig);
    if (!started.ok()) return started.status();
    Rig& rig = **started;
    absl::StatusOr<std::vector<std::string>> endpoints =
        rig.CreateEndpoints(self.settings.endpoints);
    if (!endpoints.ok()) return endpoints.status();
    if (absl::Status status = rig.StopServer(); !status.ok()) return status;
    rig.database().Query(InsertDue(self.settings.load.events, self.settings.load.payload_bytes));
    rig.database().Query("CHECKPOINT");

    if (absl::Status status = rig.StartServer(); !status.ok()) return status;
    const Usage before = rig.Used();
    const auto begun = std::chrono::steady_clock::now();
    if (absl::Status status = rig.WaitUntilRecorded(kDoneTimeout); !status.ok()) return status;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
    const Usage used = rig.Used() - before;
    const double thousands = static_cast<double>(self.settings.load.events) / 1000;
    report.Add("from ready to done, s", taken.count());
    report.Add("deliveries/s", 1000 * thousands / taken.count());
    report.Add("server + PostgreSQL, CPU s per 1000 deliveries",
               (used.server + used.postgres) / thousands);
    report.Add("server, CPU s per 1000 deliveries", used.server / thousands);
    report.Add("PostgreSQL, CPU s per 1000 deliveries", used.postgres / thousands);
    report.Add("writing transactions per 1000 deliveries",
               static_cast<double>(used.transactions) / thousands);
    report.Add("resident memory of the server after it, MB",
               static_cast<double>(ResidentBytesOf(rig.server_pid())) / 1e6);
    if (absl::Status status = rig.StopServer(); !status.ok()) return status;
  }
  return report;
}

}  // namespace postrider::bench
