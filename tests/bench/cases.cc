#include "tests/bench/cases.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tests/bench/backlog_case.h"
#include "tests/bench/fairness_case.h"
#include "tests/bench/memory_case.h"
#include "tests/bench/throughput_case.h"

namespace postrider::bench {
namespace {

CaseSettings Settings(LoadMode mode, EndpointPlan endpoints) {
  CaseSettings settings;
  settings.load.mode = mode;
  settings.endpoints = endpoints;
  return settings;
}

CaseSettings Batches() {
  CaseSettings settings = Settings(LoadMode::kBatch, {.groups = 16});
  settings.load.in_flight = 8;
  return settings;
}

CaseSettings FanOut() {
  CaseSettings settings = Settings(LoadMode::kUnary, {.groups = 4, .fan_out = 10});
  settings.load.events = 20000;
  return settings;
}

CaseSettings Slow() {
  CaseSettings settings = Settings(LoadMode::kUnary, {.groups = 64});
  settings.load.in_flight = 512;
  settings.receiver_delay = absl::Milliseconds(50);
  return settings;
}

CaseSettings Calm() {
  CaseSettings settings = Settings(LoadMode::kUnary, {.groups = 16});
  settings.load.rate = 200;
  settings.load.events = 2000;
  return settings;
}

CaseSettings Fairness(int groups) {
  CaseSettings settings = Settings(LoadMode::kUnary, {.groups = groups});
  settings.runs = 3;
  settings.load.rate = 200;
  settings.load.events = 2000;
  return settings;
}

CaseSettings ManyEndpoints() { return Settings(LoadMode::kUnary, {.groups = 10000}); }

CaseSettings ManyOrgs() { return Settings(LoadMode::kUnary, {.orgs = 1000}); }

CaseSettings Memory() {
  CaseSettings settings = Settings(LoadMode::kBatch, {.groups = 100, .max_in_flight = 1000});
  settings.runs = 1;
  settings.load.events = 100000;
  settings.load.in_flight = 2;
  return settings;
}

CaseSettings Backlog() {
  CaseSettings settings = Settings(LoadMode::kBatch, {.groups = 100});
  settings.runs = 1;
  settings.load.events = 1000000;
  return settings;
}

CaseSettings Growth() {
  CaseSettings settings = Batches();
  settings.runs = 1;
  settings.load.events = 10000000;
  return settings;
}

}  // namespace

std::vector<Case> AllCases() {
  return {
      {"unary", "unary Publish, fan-out 1", Settings(LoadMode::kUnary, {.groups = 16}),
       RunThroughput},
      {"stream", "StreamPublish, fan-out 1", Settings(LoadMode::kStream, {.groups = 16}),
       RunThroughput},
      {"batch", "BatchPublish of 100, fan-out 1", Batches(), RunThroughput},
      {"fanout", "unary Publish, fan-out 10", FanOut(), RunThroughput},
      {"slow", "a receiver that takes 50 ms", Slow(), RunThroughput},
      {"latency", "200 events a second", Calm(), RunThroughput},
      {"endpoints", "10,000 endpoints of one org, each event for one of them", ManyEndpoints(),
       RunThroughput},
      {"orgs", "1,000 orgs with one endpoint each", ManyOrgs(), RunThroughput},
      {"fairness", "100 healthy endpoints, then beside 100 dead and 100 slow ones", Fairness(100),
       RunEndpointFairness},
      {"org_fairness", "an org, then beside one that publishes 10,000 events a second",
       Fairness(10), RunOrgFairness},
      {"memory", "resident memory of the server", Memory(), RunMemory},
      {"backlog", "1,000,000 deliveries that are due", Backlog(), RunBacklog},
      {"growth", "10 million deliveries, the last against the first", Growth(), RunGrowth},
  };
}

}  // namespace postrider::bench
