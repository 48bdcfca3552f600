// Three servers on one PostgreSQL, events all the time, and everything that can break breaks; then
// the books of publishers, receiver and store are compared.
//
//   chaos --kills=200 --events=10000
//
// Ends with 0 when every promise was kept. See docs/RELIABILITY.md.

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "tests/chaos/faults.h"
#include "tests/chaos/nodes.h"
#include "tests/chaos/publishers.h"
#include "tests/chaos/run_settings.h"
#include "tests/chaos/store_books.h"
#include "tests/ledger/check.h"
#include "tests/support/caller.h"
#include "tests/support/receiver.h"

ABSL_FLAG(int, events, 500, "events to publish, at least; publishing goes on while faults do");
ABSL_FLAG(double, rate, 30, "events a second");
ABSL_FLAG(int, nodes, 3, "servers");
ABSL_FLAG(absl::Duration, gap, absl::Seconds(3), "longest time between two faults");
ABSL_FLAG(uint64_t, seed, 0, "of all that is random; 0: a new one, which is printed");
ABSL_FLAG(int, kills, 0, "kill -9 of a server");
ABSL_FLAG(int, pauses, 0, "a server stopped for longer than others take it for alive");
ABSL_FLAG(int, commit_cuts, 0, "a connection cut around a commit");
ABSL_FLAG(int, connection_cuts, 0, "all connections to PostgreSQL cut");
ABSL_FLAG(int, postgres_restarts, 0, "PostgreSQL restarted");
ABSL_FLAG(int, postgres_kills, 0, "kill -9 of PostgreSQL");
ABSL_FLAG(int, rolling_restarts, 0, "every server restarted, one after the other");

namespace postrider::testing {
namespace {

// For what is open when the last fault is over: the longest lease and the whole schedule.
constexpr absl::Duration kRest = absl::Minutes(3);
constexpr size_t kLinesShown = 40;

// Answers most requests with 200, some late; some with an error, and some not at all.
class FlakyReceiver {
 public:
  explicit FlakyReceiver(uint64_t seed) : random_(seed) {
    receiver_.AnswerBy([this](const ReceivedRequest& request) { return Note(request); });
  }

  std::string Url(size_t endpoint) const { return receiver_.Url(absl::StrCat("/", endpoint)); }

  // `endpoints`: their ids, in the order of their numbers in Url.
  std::vector<Arrival> Arrivals(const std::vector<std::string>& endpoints) {
    absl::MutexLock lock(&mu_);
    std::vector<Arrival> all = arrivals_;
    for (Arrival& arrival : all) {
      arrival.endpoint_id = endpoints.at(std::stoul(arrival.endpoint_id.substr(1)));
    }
    return all;
  }

 private:
  Answer Note(const ReceivedRequest& request) {
    absl::MutexLock lock(&mu_);
    Answer answer;
    const uint64_t dice = random_() % 100;
    if (dice < 6) answer.status = 503;
    answer.drop = dice >= 6 && dice < 8;
    answer.delay = absl::Milliseconds(dice < 10 ? 1000 : random_() % 60);
    arrivals_.push_back({request.WebhookId(), request.DeliveryId(), request.target,
                         request.AttemptNumber(), request.time, request.time + answer.delay,
                         answer.drop ? 0 : answer.status});
    return answer;
  }

  absl::Mutex mu_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_);
  std::vector<Arrival> arrivals_ ABSL_GUARDED_BY(mu_);
  Receiver receiver_;  // Last: its thread uses the others.
};

// How long it took until the last of a node's work was somebody else's, or the next life's.
struct Times {
  std::vector<absl::Duration> taken_back;  // By its own next life.
  std::vector<absl::Duration> taken_over;  // By others.
};
Times TimesOf(const std::vector<Nodes::Death>& deaths, const std::vector<TakeOver>& take_overs) {
  Times times;
  for (const Nodes::Death& death : deaths) {
    absl::Time next_death = absl::InfiniteFuture();  // A paused one can die again.
    for (const Nodes::Death& other : deaths) {
      if (other.node_no == death.node_no && other.time > death.time) {
        next_death = std::min(next_death, other.time);
      }
    }
    absl::Time last = absl::InfinitePast();
    for (const TakeOver& taken : take_overs) {
      if (taken.node_no == death.node_no && taken.time >= death.time && taken.time < next_death) {
        last = std::max(last, taken.time);
      }
    }
    if (last == absl::InfinitePast()) continue;  // It had nothing.
    (death.back < last ? times.taken_back : times.taken_over).push_back(last - death.time);
  }
  return times;
}

std::string ToText(std::vector<absl::Duration> times) {
  if (times.empty()) return "-";
  std::sort(times.begin(), times.end());
  return absl::StrCat(
      "median ",
      absl::FormatDuration(absl::Trunc(times[times.size() / 2], absl::Milliseconds(100))), ", max ",
      absl::FormatDuration(absl::Trunc(times.back(), absl::Milliseconds(100))), " (", times.size(),
      ")");
}

struct Run {
  Ledger ledger;
  Times times;
  std::vector<std::string> surprises;
};

Run Play(const FaultCounts& counts, uint64_t seed) {
  Run run;
  std::mt19937_64 random(seed);
  absl::StatusOr<std::unique_ptr<TestCluster>> cluster = TestCluster::Start();
  if (!cluster.ok()) {
    run.surprises.push_back(cluster.status().ToString());
    return run;
  }
  const std::unique_ptr<TestDatabase> database = (*cluster)->NewDatabase();
  DatabaseProxy proxy(database->conninfo());
  FlakyReceiver receiver(random());
  Nodes nodes(static_cast<size_t>(absl::GetFlag(FLAGS_nodes)), proxy.conninfo(), *database);
  for (size_t node = 0; node < nodes.size(); ++node) {
    if (absl::Status started = nodes.Start(node); !started.ok()) {
      run.surprises.push_back(started.ToString());
      return run;
    }
  }
  WatchTakeOvers(*database);

  const std::shared_ptr<Api> api = nodes.api(0);
  Caller caller(*api);
  const std::vector<std::set<std::string>> wanted = {{}, {kTypes[0]}, {kTypes[0], kTypes[1]}};
  std::vector<std::string> endpoints;
  for (size_t i = 0; i < wanted.size(); ++i) {
    v1::Endpoint endpoint = caller.EndpointAt(receiver.Url(i));
    for (const std::string& type : wanted[i]) endpoint.add_events(type);
    endpoints.push_back(caller.Create(endpoint).id());
    run.ledger.subscribers.push_back({endpoints.back(), wanted[i]});
  }
  run.ledger.schedule = kSchedule;
  run.ledger.attempt_timeout = kAttemptTimeout;

  Publishers publishers(nodes, caller.org(), caller.env(), absl::GetFlag(FLAGS_rate), random());
  Faults faults(nodes, **cluster, proxy, counts, absl::GetFlag(FLAGS_gap), random);
  while (!faults.Over()) faults.Step();
  WaitUntil([&] { return publishers.acknowledged() >= absl::GetFlag(FLAGS_events); },
            absl::Seconds(2 * absl::GetFlag(FLAGS_events) / absl::GetFlag(FLAGS_rate) + 30));
  run.ledger.publications = publishers.Stop();

  if (!WaitUntil([&] { return database->Value("SELECT count(*) FROM open_deliveries") == "0"; },
                 kRest)) {
    run.surprises.push_back("deliveries are open long after the last fault");
  }
  for (size_t node = 0; node < nodes.size(); ++node) {
    if (absl::Status ended = nodes.Terminate(node); !ended.ok()) {
      run.surprises.push_back(ended.ToString());
    }
  }
  ReadStore(*database, run.ledger);
  run.ledger.arrivals = receiver.Arrivals(endpoints);
  run.times = TimesOf(nodes.deaths(), TakeOversIn(*database));
  run.surprises.insert(run.surprises.end(), faults.surprises().begin(), faults.surprises().end());
  run.surprises.insert(run.surprises.end(), nodes.crashes().begin(), nodes.crashes().end());
  return run;
}

int Main() {
  uint64_t seed = absl::GetFlag(FLAGS_seed);
  if (seed == 0) seed = std::random_device()() | 1;
  FaultCounts counts;
  counts.kills = absl::GetFlag(FLAGS_kills);
  counts.pauses = absl::GetFlag(FLAGS_pauses);
  counts.commit_cuts = absl::GetFlag(FLAGS_commit_cuts);
  counts.connection_cuts = absl::GetFlag(FLAGS_connection_cuts);
  counts.postgres_restarts = absl::GetFlag(FLAGS_postgres_restarts);
  counts.postgres_kills = absl::GetFlag(FLAGS_postgres_kills);
  counts.rolling_restarts = absl::GetFlag(FLAGS_rolling_restarts);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);

  const absl::Time begun = absl::Now();
  Run run = Play(counts, seed);
  std::vector<std::string> broken = BrokenPromises(run.ledger);
  broken.insert(broken.begin(), run.surprises.begin(), run.surprises.end());
  const Count count = CountOf(run.ledger);
  if (!counts.AnyUnclean() && count.duplicated > 0) {
    broken.push_back("clean restarts made deliveries come twice");
  }
  std::printf(
      "kills %d, pauses %d, commit cuts %d, connection cuts %d, PostgreSQL restarts %d and kills "
      "%d, rolling restarts %d; %s\n"
      "events acknowledged %zu, lost %zu, unknown %zu\n"
      "deliveries %zu, requests %zu, attempts abandoned %zu\n"
      "deliveries received twice %zu, of them without an ABANDONED row %zu\n"
      "taken over by others: %s\n"
      "taken back by the next life: %s\n"
      "promises broken %zu\n",
      counts.kills, counts.pauses, counts.commit_cuts, counts.connection_cuts,
      counts.postgres_restarts, counts.postgres_kills, counts.rolling_restarts,
      absl::FormatDuration(absl::Trunc(absl::Now() - begun, absl::Seconds(1))).c_str(),
      count.acknowledged, count.lost, count.unknown, count.deliveries, count.arrivals,
      count.abandoned, count.duplicated, count.unexplained, ToText(run.times.taken_over).c_str(),
      ToText(run.times.taken_back).c_str(), broken.size());
  for (size_t i = 0; i < std::min(broken.size(), kLinesShown); ++i) {
    std::printf("  %s\n", broken[i].c_str());
  }
  return broken.empty() ? 0 : 1;
}

}  // namespace
}  // namespace postrider::testing

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Breaks three servers and their PostgreSQL while events flow, and compares the books.");
  absl::ParseCommandLine(argc, argv);
  return postrider::testing::Main();
}
