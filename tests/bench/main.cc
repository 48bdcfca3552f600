// tools/bench: runs the cases that were asked for and prints what they measured.

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/bench/cases.h"
#include "tests/bench/fast_receiver.h"
#include "tests/bench/latency_histogram.h"
#include "tests/bench/load.h"
#include "tests/bench/throughput_case.h"
#include "tests/bench/usage.h"

ABSL_FLAG(std::vector<std::string>, cases, {},
          "names of the cases to run, with commas between; none: a list of them");
ABSL_FLAG(std::optional<int>, runs, std::nullopt, "runs of a case, of which medians are shown");
ABSL_FLAG(std::optional<int64_t>, events, std::nullopt, "events of a run");
ABSL_FLAG(std::optional<int>, in_flight, std::nullopt, "calls in flight");
ABSL_FLAG(std::optional<double>, rate, std::nullopt,
          "events a second, sent at their times; 0: as many as the calls in flight allow");
ABSL_FLAG(std::optional<int>, batch, std::nullopt, "events of a BatchPublish");
ABSL_FLAG(std::optional<int>, payload, std::nullopt, "bytes of an event's data");
ABSL_FLAG(std::optional<bool>, keys, std::nullopt, "an idempotency key for each event");
ABSL_FLAG(std::optional<int>, orgs, std::nullopt, "orgs, each with all groups");
ABSL_FLAG(std::optional<int>, groups, std::nullopt, "event types");
ABSL_FLAG(std::optional<int>, fan_out, std::nullopt, "endpoints of each event type");
ABSL_FLAG(std::optional<int>, max_in_flight, std::nullopt, "max_in_flight of each endpoint");
ABSL_FLAG(std::optional<absl::Duration>, delay, std::nullopt, "the receiver's time for an answer");
ABSL_FLAG(int, answer, 200, "bytes of the receiver's answer");
ABSL_FLAG(std::vector<std::string>, server_flags, {}, "flags for postriderd, with commas between");
ABSL_FLAG(std::vector<std::string>, postgres, {},
          "settings for PostgreSQL as NAME=VALUE, with commas between");
ABSL_FLAG(std::string, publish_to, "",
          "no case: batches, as --events, --rate, --batch and --groups say, to the server at this "
          "address, for the second org of a case");
ABSL_FLAG(std::string, json, "", "a file for the results, which is written over");

namespace postrider::bench {
namespace {

template <class T>
void Take(const absl::Flag<std::optional<T>>& flag, T* setting) {
  if (const std::optional<T> given = absl::GetFlag(flag)) *setting = *given;
}

void ApplyFlags(CaseSettings* settings) {
  Take(FLAGS_runs, &settings->runs);
  Take(FLAGS_events, &settings->load.events);
  Take(FLAGS_in_flight, &settings->load.in_flight);
  Take(FLAGS_rate, &settings->load.rate);
  Take(FLAGS_batch, &settings->load.batch);
  Take(FLAGS_payload, &settings->load.payload_bytes);
  Take(FLAGS_keys, &settings->load.idempotency_keys);
  Take(FLAGS_orgs, &settings->endpoints.orgs);
  Take(FLAGS_groups, &settings->endpoints.groups);
  Take(FLAGS_fan_out, &settings->endpoints.fan_out);
  Take(FLAGS_max_in_flight, &settings->endpoints.max_in_flight);
  Take(FLAGS_delay, &settings->receiver_delay);
  settings->rig.server_flags = absl::GetFlag(FLAGS_server_flags);
  for (const std::string& setting : absl::GetFlag(FLAGS_postgres)) {
    settings->rig.postgres_settings.push_back(absl::StrSplit(setting, absl::MaxSplits('=', 1)));
  }
}

int ListCases() {
  std::printf("tools/bench --cases=NAME,... [--help]\n\n");
  for (const Case& known : AllCases()) {
    std::printf("  %-12s %s\n", known.name, Describe(known).c_str());
  }
  return 0;
}

int PublishTo(const std::string& address) {
  CaseSettings settings;
  ApplyFlags(&settings);
  LoadOptions load = settings.load;
  load.mode = LoadMode::kBatch;
  load.groups = settings.endpoints.groups;
  load.first_org = 1;
  load.marked = false;
  load.may_be_refused = true;
  const auto latencies = std::make_unique<LatencyHistogram>();
  const absl::StatusOr<LoadResult> result = RunLoad(address, load, latencies.get());
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
    return 1;
  }
  std::printf("%lld deliveries in %.3f s, %lld calls refused\n",
              static_cast<long long>(result->deliveries), absl::ToDoubleSeconds(result->elapsed),
              static_cast<long long>(result->refused));
  return 0;
}

int Run() {
  if (const std::string address = absl::GetFlag(FLAGS_publish_to); !address.empty()) {
    return PublishTo(address);
  }
  const std::vector<std::string> wanted = absl::GetFlag(FLAGS_cases);
  if (wanted.empty()) return ListCases();
  std::vector<Case> cases;
  for (const std::string& name : wanted) {
    const size_t before = cases.size();
    for (const Case& known : AllCases()) {
      if (name == known.name) cases.push_back(known);
    }
    if (cases.size() == before) {
      std::fprintf(stderr, "there is no case %s: run tools/bench for a list\n", name.c_str());
      return 2;
    }
  }
  FastReceiver receiver;
  receiver.SetAnswerBytes(absl::GetFlag(FLAGS_answer));
  const std::string machine = DescribeMachine();
  std::printf("%s\n", machine.c_str());
  std::vector<std::string> results;
  for (Case& one : cases) {
    ApplyFlags(&one.settings);
    absl::StatusOr<Report> report = one.run(one, receiver);
    if (!report.ok()) {
      std::fprintf(stderr, "%s: %s\n", one.name, std::string(report.status().message()).c_str());
      return 1;
    }
    std::printf("%s", report->ToText().c_str());
    std::fflush(stdout);
    results.push_back(report->ToJson());
  }
  if (const std::string path = absl::GetFlag(FLAGS_json); !path.empty()) {
    std::ofstream file(path);
    file << "{\"machine\": \"" << machine << "\", \"results\": [\n"
         << absl::StrJoin(results, ",\n") << "\n]}\n";
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write %s\n", path.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace postrider::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("measures Postrider; docs/PERFORMANCE.md says what and why");
  absl::FlagsUsageConfig usage;  // --help shows the flags of this program
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "tests/bench/main.cc");
  };
  absl::SetFlagsUsageConfig(usage);
  absl::ParseCommandLine(argc, argv);
  return postrider::bench::Run();
}
