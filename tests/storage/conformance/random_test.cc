// The same random operations on both sets of stores leave the same behind, step by step.

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/conformance/scene.h"

namespace postrider {
namespace {

constexpr int kSteps = 200;
// Steps of time are so long that it does not matter what the operations themselves take.
constexpr absl::Duration kPlayLease = absl::Hours(1);
constexpr absl::Duration kStepOfTime = absl::Hours(2);
constexpr absl::Duration kDay = absl::Hours(24);

const char* CodeOf(const absl::Status& status) {
  static std::map<absl::StatusCode, std::string> names;
  return names.emplace(status.code(), absl::StatusCodeToString(status.code()))
      .first->second.c_str();
}

// One run on one of them. Every operation tells what it was and what it answered.
template <typename Subject>
class Play {
 public:
  explicit Play(uint32_t seed) : random_(seed), living_(scene_.subject().NewNodes()) {
    for (const char* events : {"", "a.*", "b"}) AddEndpoint(events);
    node_ = living_->Register("living")->node_no;
  }

  // What there is after each step.
  std::vector<std::string> Run() {
    using Operation = std::string (Play::*)();
    // As often as they are here.
    const Operation operations[] = {
        &Play::Accept,      &Play::Accept,        &Play::Accept,        &Play::AcceptTwo,
        &Play::AcceptOld,   &Play::Claim,         &Play::Claim,         &Play::Claim,
        &Play::Record,      &Play::Record,        &Play::Record,        &Play::RecordBatch,
        &Play::RecordBatch, &Play::RecordLate,    &Play::RecordLate,    &Play::Count,
        &Play::Release,     &Play::ReleaseUntold, &Play::ExpireLeased,  &Play::Poison,
        &Play::CleanDeath,  &Play::UncleanDeath,  &Play::UncleanDeath,  &Play::OverdueLeases,
        &Play::PassTime,    &Play::DropExpired,   &Play::ErasePayloads, &Play::Cancel,
        &Play::Redeliver,   &Play::SetState,      &Play::SetState,      &Play::DeleteEndpoint,
        &Play::Update,      &Play::Nodes,         &Play::Totals,        &Play::FindDue,
        &Play::SetOrdered,  &Play::ClaimInOrder,  &Play::ClaimInOrder};
    std::vector<std::string> states;
    for (int step = 0; step < kSteps; ++step) {
      std::string did;
      if (scene_.delivery_count() == 0) {
        did = Accept();
      } else {
        did = (this->*operations[static_cast<size_t>(Below(std::size(operations)))])();
      }
      states.push_back(absl::StrCat(did, "\n", scene_.ShowAll()));
    }
    return states;
  }

 private:
  int Below(size_t n) { return static_cast<int>(random_() % n); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  int AnyEndpoint() { return Below(static_cast<size_t>(scene_.endpoint_count())); }
  int AnyDelivery() { return Below(static_cast<size_t>(scene_.delivery_count())); }
  Ending AnyEnding() {
    const Ending endings[] = {Ending::kSuccess, Ending::kSuccess,   Ending::kRetry,
                              Ending::kRetry,   Ending::kExhausted, Ending::kGone};
    return endings[Below(std::size(endings))];
  }
  std::string AnyType() {
    const char* const types[] = {"a.x", "b", "a"};
    return types[Below(std::size(types))];
  }
  // Time does not pass for keys (Scene::Pass): afterwards others are used.
  std::string AnyKey() { return absl::StrCat("key-", steps_of_time_, "-", Below(3)); }
  int32_t AnyThreshold() {
    const int32_t thresholds[] = {0, 1, 3, 5};
    return thresholds[Below(std::size(thresholds))];
  }
  void AddEndpoint(const std::string& events) {
    scene_.AddEndpoint(events.empty() ? std::vector<std::string>{}
                                      : std::vector<std::string>{events});
  }
  OutcomeRecord AnyOutcomeOf(int delivery) {
    const absl::Duration retry_in = OneIn(2) ? absl::ZeroDuration() : kStepOfTime * 1.5;
    OutcomeRecord outcome = scene_.OutcomeOf(delivery, AnyEnding(), retry_in);
    if (outcome.state == DeliveryState::kPending) outcome.uses_retry = !OneIn(4);
    return outcome;
  }
  DispatchStore& dispatch() { return scene_.subject().dispatch(); }
  bool Holds(const LeaseRef& lease) { return !dispatch().LeasesHeld({lease})->empty(); }

  std::string Accept() {
    const std::string key = OneIn(3) ? AnyKey() : "";
    std::vector<int> congested;
    if (OneIn(3)) congested.push_back(AnyEndpoint());
    const AcceptResult result =
        scene_.Accept(scene_.MakeEvent(AnyType(), key, OneIn(4) ? 'e' : 'd'),
                      OneIn(2) ? node_ : FanOutLease::kNobody, congested);
    return absl::StrCat("accept ", key, " ", static_cast<int>(result.status), " ",
                        result.delivery_count);
  }
  std::string AcceptTwo() {
    const auto results = scene_.AcceptBatch(
        {scene_.MakeEvent(AnyType()), scene_.MakeEvent(AnyType(), AnyKey(), 'e')});
    return absl::StrCat("accept two ", static_cast<int>(results[0].status), " ",
                        static_cast<int>(results[1].status));
  }
  std::string AcceptOld() {
    const AcceptResult result = scene_.Accept(
        scene_.MakeOldEvent(AnyType(), (OneIn(2) ? 33 : 29) * kDay), OneIn(2) ? node_ : 0);
    return absl::StrCat("accept old ", result.delivery_count);
  }
  std::string Claim() {
    // All at once: the order of what became due in one moment is nobody's promise.
    const int endpoint = AnyEndpoint();
    return absl::StrCat("claim ", endpoint, ":", ClaimAll(endpoint, node_));
  }
  // As of an endpoint that is known to be ordered, whether it still is or not.
  std::string ClaimInOrder() {
    const int endpoint = AnyEndpoint();
    return absl::StrCat("claim in order ", endpoint, ":", ClaimAll(endpoint, node_, true));
  }
  std::string ClaimAll(int endpoint, int32_t node, bool ordered = false) {
    scene_.Claim(endpoint, 1000, node, kPlayLease, ordered);
    std::vector<std::string> each;
    for (const ClaimedDelivery& claimed : scene_.claimed()) {
      for (int i = 0; i < scene_.delivery_count(); ++i) {
        if (scene_.IdOf(i) != claimed.id) continue;
        each.push_back(absl::StrCat(" ", i, "/", claimed.attempt_count, "/", claimed.failure_count,
                                    "/", static_cast<int>(claimed.origin),
                                    claimed.body == nullptr ? "/erased" : ""));
      }
    }
    std::sort(each.begin(), each.end());
    std::string shown;
    for (const std::string& one : each) absl::StrAppend(&shown, one);
    return shown;
  }
  std::string Record() {
    const int delivery = AnyDelivery();
    const OutcomeRecord outcome = AnyOutcomeOf(delivery);
    late_.push_back(outcome);
    return absl::StrCat("record ", delivery, " ", CodeOf(scene_.Record(outcome)));
  }
  // What is leased of an endpoint, and seldom something that is not.
  std::string RecordBatch() {
    const int endpoint = AnyEndpoint();
    std::vector<OutcomeRecord> batch;
    for (int i = 0; i < scene_.delivery_count(); ++i) {
      if (!scene_.IsOf(i, endpoint) || !(Holds(scene_.LeaseOf(i)) || OneIn(20))) continue;
      batch.push_back(AnyOutcomeOf(i));
    }
    if (batch.empty()) return "record nothing";
    std::shuffle(batch.begin(), batch.end(), random_);
    if (OneIn(20)) batch.push_back(batch.front());
    late_.insert(late_.end(), batch.begin(), batch.end());
    const auto status = scene_.Record(batch, AnyThreshold());
    return absl::StrCat("record ", batch.size(), " of ", endpoint, " ", CodeOf(status));
  }
  std::string RecordLate() {
    const OutcomeRecord outcome =
        late_.empty() ? scene_.OutcomeOf(AnyDelivery(), OneIn(2)) : late_[Below(late_.size())];
    const LeaseRef lease{outcome.attempt.delivery_id, outcome.lease_token};
    if (Holds(lease)) return "";
    const bool awaited = !dispatch().LeasesAwaited({lease})->empty();
    return absl::StrCat("record late ", awaited, " ", CodeOf(scene_.RecordLate(outcome)));
  }
  std::string Count() {
    const int endpoint = AnyEndpoint();
    std::vector<AttemptOutcome> outcomes(static_cast<size_t>(Below(8)));
    for (AttemptOutcome& outcome : outcomes) {
      outcome = OneIn(4) ? AttemptOutcome::kSucceeded : AttemptOutcome::kTimeout;
    }
    const policy::Tally tally = policy::TallyOf(outcomes);
    const auto counts = dispatch().Record(
        {}, {{scene_.EndpointAt(endpoint), tally.leading_failures, tally.longest_run,
              tally.trailing_failures, tally.has_success, AnyThreshold(), OneIn(20)}});
    std::string did = absl::StrCat("count ", outcomes.size(), " of ", endpoint);
    for (const EndpointCount& count : *counts) {
      absl::StrAppend(&did, " ", count.consecutive_failures, " reason ",
                      static_cast<int>(count.disabled_reason));
    }
    return did;
  }
  std::string Release() {
    const int delivery = AnyDelivery();
    return absl::StrCat("release ", delivery, " ",
                        CodeOf(dispatch().Release({scene_.LeaseOf(delivery)})));
  }
  std::string ReleaseUntold() {
    const int delivery = AnyDelivery();
    return absl::StrCat("release untold ", delivery, " ",
                        CodeOf(dispatch().ReleaseUntold({scene_.EventOf(delivery)}, node_)));
  }
  std::string ExpireLeased() {
    const int delivery = AnyDelivery();
    return absl::StrCat("expire ", delivery, " ",
                        CodeOf(dispatch().Expire({scene_.LeaseOf(delivery)})));
  }
  std::string Poison() {
    const int delivery = AnyDelivery();
    return absl::StrCat("poison ", delivery, " ",
                        CodeOf(dispatch().Poison(AnyOutcomeOf(delivery))));
  }

  // A node that stopped in good order had all that is due of an endpoint.
  std::string CleanDeath() {
    const int32_t dead = scene_.DeadNode(true);
    const int endpoint = AnyEndpoint();
    const std::string had = ClaimAll(endpoint, dead);
    AddLate();
    return absl::StrCat("clean death with", had, ": ", scene_.TakeOver({dead}).count);
  }
  // Of suspects which one a node gets is nobody's promise, so there is one at most: a node dies
  // with the delivery that was with a dead one before, if there is such a one, and with nothing
  // else.
  std::string UncleanDeath() {
    const int32_t dead = scene_.DeadNode(false);
    const int endpoint = AnyEndpoint();
    scene_.Claim(endpoint, 1000, dead, kPlayLease);
    int marked = -1;
    for (int i = 0; i < scene_.delivery_count(); ++i) {
      if (scene_.MarksOf(i).lost_claims > 0) marked = i;
    }
    int kept = -1;
    for (int i = 0; i < scene_.delivery_count(); ++i) {
      const bool has = WasClaimed(i);
      if (has && (marked == -1 ? kept == -1 : marked == i)) {
        kept = i;
      } else if (has) {
        EXPECT_TRUE(dispatch().Release({scene_.LeaseOf(i)}).ok());
      }
    }
    AddLate();
    const FreedWork freed = scene_.TakeOver({dead});
    return absl::StrCat("unclean death with ", kept, ": ", freed.count, " ", freed.poisoned);
  }
  // Whether the last claim brought it and it was not given back since.
  bool WasClaimed(int delivery) {
    const auto& claimed = scene_.claimed();
    return std::any_of(
               claimed.begin(), claimed.end(),
               [&](const ClaimedDelivery& one) { return one.id == scene_.IdOf(delivery); }) &&
           Holds(scene_.LeaseOf(delivery));
  }
  void AddLate() {
    for (int i = 0; i < scene_.delivery_count(); ++i) {
      if (WasClaimed(i)) late_.push_back(AnyOutcomeOf(i));
    }
  }
  std::string OverdueLeases() {
    return absl::StrCat("overdue ", scene_.TakeOver({}, {node_}).count);
  }

  std::string PassTime() {
    scene_.Pass(kStepOfTime);
    ++steps_of_time_;
    return "time passes";
  }
  std::string DropExpired() {
    scene_.subject().DropExpired({});
    return "drop expired";
  }
  std::string ErasePayloads() {
    scene_.subject().DropExpired({.payload_retention = OneIn(3) ? absl::ZeroDuration() : kDay});
    return "erase payloads";
  }
  std::string Cancel() {
    const int delivery = AnyDelivery();
    return absl::StrCat("cancel ", delivery, " ",
                        CodeOf(scene_.subject().Cancel(scene_.IdOf(delivery))));
  }
  std::string Redeliver() {
    const int delivery = AnyDelivery();
    return absl::StrCat("redeliver ", delivery, " ", CodeOf(scene_.Redeliver(delivery)));
  }
  std::string SetState() {
    const int endpoint = AnyEndpoint();
    const EndpointId id = scene_.EndpointAt(endpoint);
    if (OneIn(3)) {
      return absl::StrCat("disable ", endpoint, " ", CodeOf(scene_.subject().Disable(id)));
    }
    const bool discard = OneIn(3);
    return absl::StrCat("enable ", endpoint, " ", discard, " ",
                        CodeOf(scene_.subject().Enable(id, discard)));
  }
  std::string DeleteEndpoint() {
    const int endpoint = AnyEndpoint();
    const auto status = scene_.subject().Delete(scene_.EndpointAt(endpoint));
    AddEndpoint("");
    return absl::StrCat("delete ", endpoint, " ", CodeOf(status));
  }
  std::string Update() {
    const int endpoint = AnyEndpoint();
    const std::string events = AnyType();
    return absl::StrCat("update ", endpoint, " ", events, " ",
                        CodeOf(scene_.subject().Update(scene_.EndpointAt(endpoint), {events})));
  }
  std::string SetOrdered() {
    const int endpoint = AnyEndpoint();
    const bool ordered = OneIn(2);
    return absl::StrCat("ordered ", endpoint, " ", ordered, " ",
                        CodeOf(scene_.subject().SetOrdered(scene_.EndpointAt(endpoint), ordered)));
  }
  std::string Nodes() {
    std::vector<int32_t> all;
    for (int32_t no = 1; no < 100; ++no) all.push_back(no);
    EXPECT_TRUE(living_->Forget(all).ok());
    const auto answer = living_->Heartbeat(node_);
    EXPECT_TRUE(answer.ok()) << answer.status();
    std::map<int32_t, std::string> nodes;
    for (const NodeRow& row : answer->nodes) {
      nodes[row.node_no] = absl::StrCat(row.node_id, row.stopped ? " stopped" : "", " silent for ",
                                        absl::ToInt64Hours(row.silence + absl::Minutes(30)), " h");
    }
    std::string shown = "nodes";
    for (const auto& [no, node] : nodes) absl::StrAppend(&shown, "\n  ", no, " ", node);
    return shown;
  }
  std::string Totals() {
    const int endpoint = AnyEndpoint();
    const EndpointId id = scene_.EndpointAt(endpoint);
    const absl::Time hour = absl::FromUnixSeconds(3600 * (1000 + Below(2)));
    const auto added = dispatch().AddTotals(
        {{id, hour, AttemptOutcome::kSucceeded, Below(3), 1 + Below(5)}}, 1 + Below(2));
    std::string shown = absl::StrCat("totals of ", endpoint, " ", CodeOf(added));
    for (const std::string& total : scene_.subject().Totals(id)) {
      absl::StrAppend(&shown, "\n  ", total);
    }
    return shown;
  }
  std::string FindDue() {
    std::string shown = "due";
    const auto found = dispatch().FindDue({}, 1000);
    for (const DueEndpoint& due : *found) {
      for (int i = 0; i < scene_.endpoint_count(); ++i) {
        if (due.id == scene_.EndpointAt(i)) absl::StrAppend(&shown, " ", i, due.due ? "!" : "");
      }
    }
    return shown;
  }

  Scene<Subject> scene_;
  std::mt19937 random_;
  std::unique_ptr<NodeStore> living_;
  int32_t node_ = 0;
  int steps_of_time_ = 0;
  std::vector<OutcomeRecord> late_;  // outcomes whose leases may be lost
};

TEST(RandomConformanceTest, TheSameOperationsLeaveTheSame) {
  const uint32_t first = std::random_device()();
  for (uint32_t seed = first; seed != first + 3; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::vector<std::string> in_memory = Play<MemorySubject>(seed).Run();
    const std::vector<std::string> in_postgres = Play<PostgresSubject>(seed).Run();
    ASSERT_EQ(in_memory.size(), in_postgres.size());
    for (size_t step = 0; step < in_memory.size(); ++step) {
      ASSERT_EQ(in_memory[step], in_postgres[step]) << "after step " << step;
    }
  }
}

}  // namespace
}  // namespace postrider
