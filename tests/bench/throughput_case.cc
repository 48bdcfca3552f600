#include "tests/bench/throughput_case.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace postrider::bench {
namespace {

// For all outcomes of a run to be recorded, once its last call was answered.
constexpr absl::Duration kRecordTimeout = absl::Minutes(5);

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

absl::Duration SinceBoot() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// One run. Null `report`: to warm up.
absl::Status RunOnce(Rig& rig, const LoadOptions& load, Report* report) {
  const auto latencies = std::make_unique<LatencyHistogram>();
  rig.receiver().arrivals().Clear();
  const int64_t received_before = rig.receiver().received();
  const Usage before = rig.Used();
  const absl::Duration begun = SinceBoot();
  absl::StatusOr<LoadResult> result = RunLoad(rig.address(), load, latencies.get());
  if (!result.ok()) return result.status();
  if (absl::Status status = rig.WaitUntilRecorded(kRecordTimeout); !status.ok()) return status;
  const double seconds = absl::ToDoubleSeconds(SinceBoot() - begun);
  const Usage used = rig.Used() - before;
  const int64_t received = rig.receiver().received() - received_before;
  if (received < result->deliveries) {
    return absl::DataLossError(absl::StrCat("of ", result->deliveries, " deliveries ", received,
                                            " arrived, and none is open"));
  }
  if (report == nullptr) return absl::OkStatus();

  const double thousands = static_cast<double>(result->deliveries) / 1000;
  report->Add("server + PostgreSQL, CPU s per 1000 deliveries",
              (used.server + used.postgres) / thousands);
  report->Add("server, CPU s per 1000 deliveries", used.server / thousands);
  report->Add("PostgreSQL, CPU s per 1000 deliveries", used.postgres / thousands);
  report->Add("receiver, CPU s per 1000 deliveries", used.receiver / thousands);
  report->Add("load, CPU s per 1000 deliveries", used.load / thousands);
  report->Add("events/s", static_cast<double>(load.events) / seconds);
  report->Add("deliveries/s", static_cast<double>(result->deliveries) / seconds);
  report->Add("call p50, ms", Milliseconds(latencies->Quantile(0.5)));
  report->Add("call p99, ms", Milliseconds(latencies->Quantile(0.99)));
  report->Add("call to arrival p50, ms", Milliseconds(rig.receiver().arrivals().Quantile(0.5)));
  report->Add("call to arrival p99, ms", Milliseconds(rig.receiver().arrivals().Quantile(0.99)));
  report->Add("WAL per delivery, bytes", static_cast<double>(used.wal_bytes) / thousands / 1000);
  report->Add("writing transactions per 1000 deliveries",
              static_cast<double>(used.transactions) / thousands);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Rig>> Prepare(const Case& self, FastReceiver& receiver) {
  receiver.SetDelay(self.settings.receiver_delay);
  absl::StatusOr<std::unique_ptr<Rig>> rig = Rig::Start(receiver, self.settings.rig);
  if (!rig.ok()) return rig.status();
  absl::StatusOr<std::vector<std::string>> endpoints =
      (*rig)->CreateEndpoints(self.settings.endpoints);
  if (!endpoints.ok()) return endpoints.status();
  return rig;
}

LoadOptions LoadOf(const CaseSettings& settings) {
  LoadOptions load = settings.load;
  load.groups = settings.endpoints.groups;
  load.orgs = settings.endpoints.orgs;
  return load;
}

// A part of the events, at least enough for every endpoint to be known to the server.
LoadOptions WarmUp(const CaseSettings& settings) {
  LoadOptions load = LoadOf(settings);
  load.events = std::max<int64_t>(load.events / 10, load.groups * load.orgs);
  load.rate = 0;
  return load;
}

}  // namespace

std::string Describe(const Case& self) {
  const CaseSettings& settings = self.settings;
  const LoadOptions& load = settings.load;
  return absl::StrCat(
      self.what, "; ", load.events, " events of ", load.payload_bytes, " bytes, ",
      load.rate > 0 ? absl::StrCat(load.rate, " a second")
                    : absl::StrCat(load.in_flight, " calls in flight"),
      load.mode == LoadMode::kBatch ? absl::StrCat(", ", load.batch, " events a call") : "", ", ",
      settings.endpoints.orgs * settings.endpoints.groups * settings.endpoints.fan_out,
      " endpoints, fan-out ", settings.endpoints.fan_out,
      settings.receiver_delay > absl::ZeroDuration()
          ? absl::StrCat(", answers after ", absl::FormatDuration(settings.receiver_delay))
          : "",
      ", median of ", settings.runs);
}

absl::StatusOr<Report> RunThroughput(const Case& self, FastReceiver& receiver) {
  absl::StatusOr<std::unique_ptr<Rig>> rig = Prepare(self, receiver);
  if (!rig.ok()) return rig.status();
  Report report(self.name, Describe(self));
  absl::Status status = RunOnce(**rig, WarmUp(self.settings), nullptr);
  for (int run = 0; status.ok() && run < self.settings.runs; ++run) {
    status = RunOnce(**rig, LoadOf(self.settings), &report);
  }
  status.Update((*rig)->StopServer());
  if (!status.ok()) return status;
  return report;
}

absl::StatusOr<Report> RunGrowth(const Case& self, FastReceiver& receiver) {
  absl::StatusOr<std::unique_ptr<Rig>> rig = Prepare(self, receiver);
  if (!rig.ok()) return rig.status();
  LoadOptions part = LoadOf(self.settings);
  LoadOptions middle = part;
  part.events = std::max<int64_t>(self.settings.load.events / 100, 1);
  middle.events = std::max<int64_t>(self.settings.load.events - 2 * part.events, 1);
  Report first("first", "");
  Report last("last", "");
  absl::Status status = RunOnce(**rig, WarmUp(self.settings), nullptr);
  if (status.ok()) status = RunOnce(**rig, part, &first);
  if (status.ok()) status = RunOnce(**rig, middle, nullptr);
  if (status.ok()) status = RunOnce(**rig, part, &last);
  Report report(self.name, Describe(self));
  for (const auto& [name, value] : first.Medians()) report.Add("first: " + name, value);
  for (const auto& [name, value] : last.Medians()) report.Add("last: " + name, value);
  report.Add("table of open deliveries with its indexes, MB",
             std::atof((*rig)
                           ->database()
                           .Value("SELECT pg_total_relation_size('open_deliveries') / 1e6")
                           .c_str()));
  status.Update((*rig)->StopServer());
  if (!status.ok()) return status;
  return report;
}

}  // namespace postrider::bench
