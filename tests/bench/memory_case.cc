#include "tests/bench/memory_case.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/throughput_case.h"
#include "tests/bench/usage.h"
#include "tests/support/wait.h"

namespace postrider::bench {
namespace {

// Longer than the phase with transfers in flight, shorter than an attempt's timeout.
constexpr absl::Duration kHold = absl::Seconds(10);
// Below what the server has in flight at once, of all endpoints and of one with the usual
// threshold.
constexpr int64_t kMostTransfers = 2000;
constexpr int64_t kTransfersOfEndpoint = 20;
constexpr absl::Duration kRecordTimeout = absl::Minutes(10);

double Megabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

}  // namespace

absl::StatusOr<Report> RunMemory(const Case& self, FastReceiver& receiver) {
  Report report(self.name, Describe(self));
  for (int run = 0; run < self.settings.runs; ++run) {
    receiver.SetDelay(absl::ZeroDuration());
    absl::StatusOr<std::unique_ptr<Rig>> started = Rig::Start(receiver, self.settings.rig);
    if (!started.ok()) return started.status();
    Rig& rig = **started;
    const int64_t rest = ResidentBytesOf(rig.server_pid());
    absl::StatusOr<std::vector<std::string>> endpoints =
        rig.CreateEndpoints(self.settings.endpoints);
    if (!endpoints.ok()) return endpoints.status();

    const auto latencies = std::make_unique<LatencyHistogram>();
    LoadOptions load = self.settings.load;
    load.groups = self.settings.endpoints.groups;
    load.events = load.groups;
    absl::StatusOr<LoadResult> result = RunLoad(rig.address(), load, latencies.get());
    if (!result.ok()) return result.status();
    if (absl::Status status = rig.WaitUntilRecorded(kRecordTimeout); !status.ok()) return status;
    const int64_t warm = ResidentBytesOf(rig.server_pid());

    receiver.SetDelay(kHold);
    const int64_t received = receiver.received();
    const int64_t transfers = std::min(kMostTransfers, kTransfersOfEndpoint * load.groups);
    load.events = transfers;
    result = RunLoad(rig.address(), load, latencies.get());
    if (!result.ok()) return result.status();
    if (!testing::WaitUntil([&] { return receiver.received() - received >= result->deliveries; })) {
      return absl::DeadlineExceededError("not all transfers came to be in flight together");
    }
    const int64_t in_flight = ResidentBytesOf(rig.server_pid());

    load.events = self.settings.load.events;
    result = RunLoad(rig.address(), load, latencies.get());
    if (!result.ok()) return result.status();
    const int64_t open = ResidentBytesOf(rig.server_pid());
    const double open_deliveries =
        std::atof(rig.database().Value("SELECT count(*) FROM open_deliveries").c_str());

    report.Add("at rest, MB", Megabytes(rest));
    report.Add("known endpoints, nothing in flight, MB", Megabytes(warm));
    report.Add("per 1000 transfers in flight, MB",
               Megabytes(in_flight - warm) / (static_cast<double>(transfers) / 1000));
    report.Add("open deliveries", open_deliveries);
    report.Add(
        "per 100,000 open deliveries, MB",
        Megabytes(open - in_flight) / (static_cast<double>(self.settings.load.events) / 100000));
    receiver.SetDelay(absl::ZeroDuration());
    if (absl::Status status = rig.WaitUntilRecorded(kRecordTimeout); !status.ok()) return status;
    report.Add("after all of it, MB", Megabytes(ResidentBytesOf(rig.server_pid())));
    if (absl::Status status = rig.StopServer(); !status.ok()) return status;
  }
  return report;
}

}  // namespace postrider::bench
