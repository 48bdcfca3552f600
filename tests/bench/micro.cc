// Google Benchmark of the pure parts that every event or attempt goes through.

#include <benchmark/benchmark.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "server/envelope/envelope.h"
#include "server/envelope/json_check.h"
#include "server/policy/transition.h"
#include "server/signing/signature.h"
#include "storage/model/subscription.h"
#include "storage/model/ulid.h"
#include "storage/postgres/params.h"

namespace postrider {
namespace {

constexpr std::string_view kId = "evt_01JX8Z3T6V7W8X9Y0Z1A2B3C4D";
constexpr std::string_view kType = "message.received";

// A JSON object of that many bytes.
std::string Data(int64_t bytes) {
  const std::string around = R"({"text":""})";
  std::string data = around;
  data.insert(data.size() - 2, static_cast<size_t>(bytes) - around.size(), 'x');
  return data;
}

void Signing(benchmark::State& state) {
  const signing::HmacSecret secret =
      *signing::ParseHmacSecret(signing::FormatHmacSecret(std::string(32, 's')));
  signing::Signer signer = *signing::Signer::Create({signing::SigningKey(secret)});
  const std::string body = Data(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(signer.Header(kId, 1700000000, body));
}
BENCHMARK(Signing)->Arg(1024)->Arg(65536);

void Envelope(benchmark::State& state) {
  const std::string data = Data(state.range(0));
  const envelope::EnvelopeFields fields{kId, kType, absl::FromUnixSeconds(1700000000), "org_1",
                                        "env_1"};
  for (auto _ : state) benchmark::DoNotOptimize(envelope::MakeEnvelope(fields, data));
}
BENCHMARK(Envelope)->Arg(1024)->Arg(65536);

void JsonCheck(benchmark::State& state) {
  const std::string data = Data(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(envelope::CheckJsonObject(data));
}
BENCHMARK(JsonCheck)->Arg(1024)->Arg(65536);

void Matching(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(PatternsMatching(kType));
}
BENCHMARK(Matching);

void Transition(benchmark::State& state) {
  policy::FailureFacts facts;
  facts.earlier_failures = 2;
  facts.http_status = 500;
  facts.attempt_end = absl::FromUnixSeconds(1700000000);
  policy::FailureRules rules;
  rules.retry.delays = policy::DefaultSchedule();
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        policy::Next(DeliveryState::kInProgress, policy::DeliveryInput::kFailed, facts, rules));
  }
}
BENCHMARK(Transition);

// A batch of events as the group commit sends them, cut down to one array of each kind.
void ParameterEncoding(benchmark::State& state) {
  struct Row {
    Ulid id{};
    std::string body = Data(1024);
    std::optional<absl::Time> time = absl::FromUnixSeconds(1700000000);
  };
  const std::vector<Row> rows(static_cast<size_t>(state.range(0)));
  Params params;
  for (auto _ : state) {
    params.Clear();
    params.UuidArray(rows, [](const Row& row) { return row.id; })
        .Int4Array(rows, [](const Row&) { return 7; })
        .TextArray(rows, [](const Row&) { return kType; })
        .TimeArray(rows, [](const Row& row) { return row.time; })
        .BytesArray(rows, [](const Row& row) -> std::string_view { return row.body; });
    benchmark::DoNotOptimize(params.values());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ParameterEncoding)->Arg(1)->Arg(100)->Arg(500);

}  // namespace
}  // namespace postrider

BENCHMARK_MAIN();
