#include "tests/bench/fairness_case.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/bench/throughput_case.h"
#include "tests/support/program.h"
#include "tests/support/wait.h"

namespace postrider::bench {
namespace {

constexpr int64_t kWaitingOfDead = 1000;
constexpr int64_t kWaitingOfSlow = 100;
constexpr double kBusyRate = 10000;
// For the last events to arrive, once their calls were answered.
constexpr absl::Duration kArrivalTimeout = absl::Minutes(1);
// For the other load to be under way.
constexpr absl::Duration kSettle = absl::Seconds(2);

absl::Status Create(Rig& rig, const EndpointPlan& plan) {
  return rig.CreateEndpoints(plan).status();
}

LoadOptions BatchesOf(const LoadOptions& load, int64_t events) {
  LoadOptions batches = load;
  batches.mode = LoadMode::kBatch;
  batches.batch = 100;
  batches.in_flight = 4;
  batches.rate = 0;
  batches.events = events;
  batches.marked = false;
  return batches;
}

// The load at its rate, and how long its events took to arrive.
absl::Status Measure(Rig& rig, const LoadOptions& load, const std::string& what, Report& report,
                     double* p99) {
  const auto latencies = std::make_unique<LatencyHistogram>();
  rig.receiver().arrivals().Clear();
  const absl::StatusOr<LoadResult> result = RunLoad(rig.address(), load, latencies.get());
  if (!result.ok()) return result.status();
  const LatencyHistogram& arrivals = rig.receiver().arrivals();
  if (!testing::WaitUntil([&] { return arrivals.count() >= result->deliveries; },
                          kArrivalTimeout)) {
    return absl::DeadlineExceededError(absl::StrCat("of ", result->deliveries, " deliveries ",
                                                    arrivals.count(), " had arrived after ",
                                                    absl::FormatDuration(kArrivalTimeout)));
  }
  *p99 = absl::ToDoubleMilliseconds(arrivals.Quantile(0.99));
  report.Add(what + ": call p99, ms", absl::ToDoubleMilliseconds(latencies->Quantile(0.99)));
  report.Add(what + ": call to arrival p50, ms",
             absl::ToDoubleMilliseconds(arrivals.Quantile(0.5)));
  report.Add(what + ": call to arrival p99, ms", *p99);
  return absl::OkStatus();
}

absl::Status EndpointsOnce(const Case& self, FastReceiver& receiver, Report& report) {
  absl::StatusOr<std::unique_ptr<Rig>> rig = Rig::Start(receiver, self.settings.rig);
  if (!rig.ok()) return rig.status();
  const int groups = self.settings.endpoints.groups;
  absl::Status status = Create(**rig, {.groups = groups});
  LoadOptions load = self.settings.load;
  load.groups = groups;
  LoadOptions warm_up = BatchesOf(load, groups);
  const auto ignored = std::make_unique<LatencyHistogram>();
  status.Update(RunLoad((*rig)->address(), warm_up, ignored.get()).status());
  double alone = 0;
  double beside = 0;
  if (status.ok()) status = Measure(**rig, load, "alone", report, &alone);
  status.Update(Create(**rig, {.groups = groups, .first_group = groups, .site = Site::kDead}));
  status.Update(Create(**rig, {.groups = groups, .first_group = 2 * groups, .site = Site::kSlow}));
  if (status.ok()) {
    LoadOptions dead = BatchesOf(load, kWaitingOfDead * groups);
    dead.first_group = groups;
    LoadOptions slow = BatchesOf(load, kWaitingOfSlow * groups);
    slow.first_group = 2 * groups;
    status.Update(RunLoad((*rig)->address(), dead, ignored.get()).status());
    status.Update(RunLoad((*rig)->address(), slow, ignored.get()).status());
  }
  absl::SleepFor(kSettle);
  if (status.ok()) status = Measure(**rig, load, "beside dead and slow ones", report, &beside);
  if (status.ok()) {
    report.Add("p99 beside them to p99 alone", beside / alone);
    status = (*rig)->StopServer();
  }
  return status;
}

absl::Status OrgsOnce(const Case& self, FastReceiver& receiver, Report& report) {
  absl::StatusOr<std::unique_ptr<Rig>> rig = Rig::Start(receiver, self.settings.rig);
  if (!rig.ok()) return rig.status();
  absl::Status status = Create(**rig, {.orgs = 2, .groups = 10});
  LoadOptions load = self.settings.load;
  load.groups = 10;
  const auto ignored = std::make_unique<LatencyHistogram>();
  LoadOptions warm_up = BatchesOf(load, 100);
  warm_up.orgs = 2;
  status.Update(RunLoad((*rig)->address(), warm_up, ignored.get()).status());
  double alone = 0;
  double beside = 0;
  if (status.ok()) status = Measure(**rig, load, "alone", report, &alone);
  if (!status.ok()) return status;

  // A process of its own: within one, gRPC's clients share threads and connections.
  const double seconds = static_cast<double>(load.events) / load.rate;
  const auto events =
      static_cast<int64_t>(kBusyRate * (seconds + absl::ToDoubleSeconds(2 * kSettle)));
  absl::StatusOr<std::unique_ptr<testing::Program>> busy = testing::Program::Start(
      {.arguments = {"/proc/self/exe", absl::StrCat("--publish_to=", (*rig)->address()),
                     absl::StrCat("--rate=", kBusyRate), absl::StrCat("--events=", events),
                     "--groups=10"}});
  if (!busy.ok()) return busy.status();
  absl::SleepFor(kSettle);
  status = Measure(**rig, load, "beside a busy org", report, &beside);
  const absl::StatusOr<std::string> said = (*busy)->ReadLine(absl::Seconds(60));
  status.Update(said.status());
  if (status.ok()) {
    double deliveries = 0;
    double took = 0;
    double refused = 0;
    if (std::sscanf(said->c_str(), "%lf deliveries in %lf s, %lf", &deliveries, &took, &refused) !=
        3) {
      return absl::InternalError(absl::StrCat("the other load said: ", *said));
    }
    report.Add("accepted events/s of the busy org", deliveries / took);
    report.Add("refused calls of the busy org", refused);
    status = (*rig)->StopServer();
  }
  return status;
}

absl::StatusOr<Report> Repeat(const Case& self, FastReceiver& receiver,
                              absl::Status (*once)(const Case&, FastReceiver&, Report&)) {
  receiver.SetDelay(absl::ZeroDuration());
  Report report(self.name, Describe(self));
  for (int run = 0; run < self.settings.runs; ++run) {
    if (absl::Status status = once(self, receiver, report); !status.ok()) return status;
  }
  return report;
}

}  // namespace

absl::StatusOr<Report> RunEndpointFairness(const Case& self, FastReceiver& receiver) {
  return Repeat(self, receiver, EndpointsOnce);
}

absl::StatusOr<Report> RunOrgFairness(const Case& self, FastReceiver& receiver) {
  return Repeat(self, receiver, OrgsOnce);
}

}  // namespace postrider::bench
