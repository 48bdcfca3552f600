// The same random operations on both sets of stores leave the same behind, step by step.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/conformance/scene.h"

namespace postrider {
namespace {

constexpr int kSteps = 120;

// What there is after each step, with what the step was and answered.
template <typename Subject>
std::vector<std::string> Play(uint32_t seed) {
  Scene<Subject> scene;
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  const auto code = [](const absl::Status& status) {
    return absl::StatusCodeToString(status.code());
  };
  for (const char* events : {"", "a.*", "b"}) {
    scene.AddEndpoint(*events == '\0' ? std::vector<std::string>{}
                                      : std::vector<std::string>{events});
  }
  const int32_t node = scene.subject().nodes().Register("living")->node_no;
  std::vector<OutcomeRecord> late;  // outcomes whose leases may be lost
  std::vector<std::string> states;
  for (int step = 0; step < kSteps; ++step) {
    std::string did;
    const int endpoint = below(scene.endpoint_count());
    const int delivery = scene.delivery_count() == 0 ? 0 : below(scene.delivery_count());
    const int kind = scene.delivery_count() == 0 ? 0 : below(12);
    const bool success = below(2) == 0;
    if (kind <= 2) {
      const char* const types[] = {"a.x", "b", "a"};
      const std::string key = below(3) == 0 ? absl::StrCat("key-", below(4)) : "";
      const AcceptResult result = scene.Accept(
          scene.MakeEvent(types[below(3)], key, below(4) == 0 ? 'e' : 'd'), success ? node : 0);
      did = absl::StrCat("accept ", key, " ", static_cast<int>(result.status), " ",
                         result.delivery_count);
    } else if (kind <= 4) {
      // All at once: the order of what became due in one moment is nobody's promise.
      did = absl::StrCat("claim ", endpoint, ":");
      for (int number : scene.Claim(endpoint, 1000, node)) absl::StrAppend(&did, " ", number);
    } else if (kind <= 6) {
      const OutcomeRecord outcome = scene.OutcomeOf(delivery, success, below(4) == 0 && !success);
      late.push_back(outcome);
      did = absl::StrCat("record ", delivery, " ", code(scene.Record(outcome)));
    } else if (kind == 7) {
      const OutcomeRecord& outcome =
          late.empty() ? scene.OutcomeOf(delivery, success)
                       : late[static_cast<size_t>(below(static_cast<int>(late.size())))];
      const bool held = !scene.subject()
                             .dispatch()
                             .LeasesHeld({{outcome.attempt.delivery_id, outcome.lease_token}})
                             ->empty();
      if (!held) {
        did = absl::StrCat(
            "record late ",
            code(
                scene.subject().dispatch().RecordLate(outcome, {scene.TallyOf(outcome)}).status()));
      }
    } else if (kind == 8) {
      // A node that stopped in good order had all that is due of an endpoint.
      const int32_t dead = scene.DeadNode(true);
      scene.Claim(endpoint, 1000, dead);
      if (scene.LeaseOf(delivery).token != 0) late.push_back(scene.OutcomeOf(delivery, success));
      did = absl::StrCat("take over ", scene.TakeOver({dead}).count);
    } else if (kind == 9) {
      did = absl::StrCat("cancel ", delivery, " ",
                         code(scene.subject().Cancel(scene.IdOf(delivery))));
    } else if (kind == 10) {
      did = absl::StrCat("redeliver ", delivery, " ", code(scene.Redeliver(delivery)));
    } else {
      const EndpointId id = scene.EndpointAt(endpoint);
      const int what = below(5);
      did = absl::StrCat("endpoint ", endpoint, " ", what, " ",
                         code(what < 2    ? scene.subject().Enable(id, what == 1)
                              : what == 4 ? scene.subject().Delete(id)
                                          : scene.subject().Disable(id)));
      if (what == 4) scene.AddEndpoint();
    }
    states.push_back(absl::StrCat(did, "\n", scene.ShowAll()));
  }
  return states;
}

TEST(RandomConformanceTest, TheSameOperationsLeaveTheSame) {
  const uint32_t first = std::random_device()();
  for (uint32_t seed = first; seed != first + 3; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::vector<std::string> in_memory = Play<MemorySubject>(seed);
    const std::vector<std::string> in_postgres = Play<PostgresSubject>(seed);
    ASSERT_EQ(in_memory.size(), in_postgres.size());
    for (size_t step = 0; step < in_memory.size(); ++step) {
      ASSERT_EQ(in_memory[step], in_postgres[step]) << "after step " << step;
    }
  }
}

}  // namespace
}  // namespace postrider
