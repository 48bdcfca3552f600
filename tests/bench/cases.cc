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

CaseSettings Ordered() {
  CaseSettings settings = Settings(LoadMode::kUnary, {.ordered = true});
  settings.runs = 3;
  settings.load.events = 3000;
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
      {"unary", "unary Publish", Settings(LoadMode::kUnary, {.groups = 16}), RunThroughput},
      {"stream", "StreamPublish", Settings(LoadMode::kStream, {.groups = 16}), RunThroughput},
      {"batch", "BatchPublish", Batches(), RunThroughput},
      {"fanout", "unary Publish, each event for several endpoints", FanOut(), RunThroughput},
      {"ordered", "ordered endpoints, which get one delivery after the other", Ordered(),
       RunThroughput},
      {"slow", "a receiver that takes its time", Slow(), RunThroughput},
      {"latency", "events at their times", Calm(), RunThroughput},
      {"endpoints", "many endpoints of one org, each event for one of them", ManyEndpoints(),
       RunThroughput},
      {"orgs", "many orgs with one endpoint each", ManyOrgs(), RunThroughput},
      {"fairness", "healthy endpoints, then beside as many dead and as many slow ones",
       Fairness(100), RunEndpointFairness},
      {"org_fairness", "an org, then beside one that publishes 10,000 events a second",
       Fairness(10), RunOrgFairness},
      {"memory", "resident memory of the server", Memory(), RunMemory},
      {"backlog", "deliveries that are due when the server starts", Backlog(), RunBacklog},
      {"growth", "the last deliveries of a long run against the first", Growth(), RunGrowth},
  };
}

}  // namespace postrider::bench
