// Auto-disable in the database: storage/sql/record.sql against policy::AfterBatch, which
// tests/policy holds to SEMANTICS attempt by attempt; and with many writers at once.

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/policy/endpoint_health.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr AttemptOutcome kLetters[] = {AttemptOutcome::kSucceeded, AttemptOutcome::kHttpStatus,
                                       AttemptOutcome::kAbandoned};

// What the database says of an endpoint, and what it should.
struct State {
  int32_t failures = 0;
  EndpointState state = EndpointState::kEnabled;
  DisabledReason reason = DisabledReason::kNone;

  bool operator==(const State&) const = default;
};
void PrintTo(const State& s, std::ostream* os) {
  *os << s.failures << " state " << static_cast<int>(s.state) << " reason "
      << static_cast<int>(s.reason);
}

// The rule of the policy on a state: what is disabled stands still.
State After(const State& before, const policy::Tally& tally, int threshold, bool gone) {
  if (before.state != EndpointState::kEnabled) return before;
  const policy::Health health = policy::AfterBatch(before.failures, tally, threshold);
  State after{health.consecutive_failures};
  if (gone || health.disable) {
    after.state = EndpointState::kDisabled;
    after.reason = gone ? DisabledReason::kGone : DisabledReason::kConsecutiveFailures;
  }
  return after;
}

EndpointTally TallyFor(EndpointId id, const policy::Tally& t, int threshold, bool gone = false) {
  return {id,  t.leading_failures, t.longest_run, t.trailing_failures, t.has_success, threshold,
          gone};
}

std::vector<EndpointCount> DisabledAmong(std::vector<EndpointCount> counts) {
  std::erase_if(counts, [](const EndpointCount& count) {
    return count.disabled_reason == DisabledReason::kNone;
  });
  std::sort(counts.begin(), counts.end(),
            [](const auto& a, const auto& b) { return a.endpoint_id < b.endpoint_id; });
  return counts;
}

class RecordCountTest : public StoreTest {
 protected:
  // Endpoints 1 to count by number: their states alone, which is all that counting looks at.
  static EndpointId Numbered(size_t n) {
    EndpointId id;
    for (size_t i = 0; i < 4; ++i) id.ulid.bytes[15 - i] = static_cast<uint8_t>(n >> (8 * i));
    return id;
  }
  void MakeStates(const std::vector<State>& states) {
    const auto made = session_.Run(
        {"make",
         "INSERT INTO endpoint_states (endpoint_id, consecutive_failures) "
         "SELECT lpad(to_hex(n), 32, '0')::uuid, c FROM unnest($1::int[]) WITH ORDINALITY x(c, n)"},
        Params().Int4Array(states, [](const State& s) { return s.failures; }));
    ASSERT_TRUE(made.ok()) << made.status();
  }
  std::vector<State> States() {
    const auto rows = session_.Run(
        {"states",
         "SELECT consecutive_failures, state, disabled_reason, (state = 2) = (disable_time IS NOT "
         "NULL) FROM endpoint_states ORDER BY endpoint_id"});
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::vector<State> states;
    for (int row = 0; rows.ok() && row < rows->rows(); ++row) {
      states.push_back({static_cast<int32_t>(rows->Int(row, 0)),
                        static_cast<EndpointState>(rows->Int(row, 1)),
                        static_cast<DisabledReason>(rows->Int(row, 2))});
      EXPECT_TRUE(rows->Bool(row, 3)) << row;
    }
    return states;
  }
  // Tells the endpoints that were disabled, by the answer.
  std::vector<EndpointCount> Count(const std::vector<EndpointTally>& tallies) {
    auto counts = dispatch_.Record({}, tallies);
    EXPECT_TRUE(counts.ok()) << counts.status();
    if (!counts.ok()) return {};
    return DisabledAmong(*std::move(counts));
  }
};

// All batches of up to six outcomes.
std::vector<std::vector<AttemptOutcome>> AllBatches() {
  std::vector<std::vector<AttemptOutcome>> batches = {{}};
  for (size_t i = 0; i < batches.size() && batches[i].size() < 6; ++i) {
    for (AttemptOutcome outcome : kLetters) {
      batches.push_back(batches[i]);
      batches.back().push_back(outcome);
    }
  }
  return batches;
}

TEST_F(RecordCountTest, ABatchDoesToTheCounterWhatThePolicySays) {
  constexpr int kCounters[] = {0, 1, 2, 3, 4, 5, 6, 49};
  constexpr int kThresholds[] = {0, 1, 2, 3, 4, 6, 7, 50};
  std::vector<State> before;
  std::vector<State> expected;
  std::vector<EndpointTally> tallies;
  std::vector<std::string> names;
  for (const auto& batch : AllBatches()) {
    const policy::Tally tally = policy::TallyOf(batch);
    for (int counter : kCounters) {
      for (int threshold : kThresholds) {
        before.push_back({counter});
        expected.push_back(After(before.back(), tally, threshold, false));
        tallies.push_back(TallyFor(Numbered(before.size()), tally, threshold));
      }
    }
  }
  ASSERT_THAT(before, SizeIs(1093 * 64));
  MakeStates(before);
  constexpr size_t kAtOnce = 10000;
  std::vector<EndpointCount> disabled;
  for (size_t from = 0; from < tallies.size(); from += kAtOnce) {
    const auto first = tallies.begin() + static_cast<long>(from);
    const auto last = tallies.begin() + static_cast<long>(std::min(tallies.size(), from + kAtOnce));
    const auto part = Count({first, last});
    disabled.insert(disabled.end(), part.begin(), part.end());
  }
  const std::vector<State> after = States();
  ASSERT_EQ(after.size(), expected.size());
  size_t answered = 0;
  for (size_t i = 0; i < after.size(); ++i) {
    const EndpointTally& t = tallies[i];
    ASSERT_EQ(after[i], expected[i])
        << "before " << before[i].failures << ", leading " << t.leading_failures << ", longest "
        << t.longest_run << ", trailing " << t.trailing_failures << ", success " << t.has_success
        << ", threshold " << t.threshold;
    if (expected[i].state != EndpointState::kDisabled) continue;
    ASSERT_LT(answered, disabled.size());
    ASSERT_EQ(disabled[answered].endpoint_id, t.endpoint_id);
    ASSERT_EQ(disabled[answered].disabled_reason, DisabledReason::kConsecutiveFailures);
    ++answered;
  }
  EXPECT_EQ(answered, disabled.size());
  EXPECT_EQ(Value("SELECT count(*) FROM endpoint_changes WHERE kind = 4"), absl::StrCat(answered));
}

TEST_F(RecordCountTest, BatchAfterBatchTheCounterIsThePolicys) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::vector<State> states(500);
  MakeStates(states);
  for (int round = 0; round < 40; ++round) {
    std::vector<EndpointTally> tallies;
    for (size_t i = 0; i < states.size(); ++i) {
      if (random() % 4 == 0) continue;
      std::vector<AttemptOutcome> batch(random() % 12);
      const size_t one_in = 2 + random() % 8;
      for (AttemptOutcome& outcome : batch) {
        outcome = random() % one_in == 0 ? kLetters[0] : kLetters[1 + (random() % 10 == 0 ? 1 : 0)];
      }
      const policy::Tally tally = policy::TallyOf(batch);
      const int threshold = i % 10 == 0 ? 0 : 3 + static_cast<int>(random() % 60);
      const bool gone = tally.longest_run > 0 && random() % 50 == 0;
      tallies.push_back(TallyFor(Numbered(i + 1), tally, threshold, gone));
      states[i] = After(states[i], tally, threshold, gone);
    }
    Count(tallies);
    ASSERT_EQ(States(), states) << "round " << round;
  }
  int disabled = 0;
  for (const State& state : states) disabled += state.state == EndpointState::kDisabled ? 1 : 0;
  EXPECT_GT(disabled, 50);
  EXPECT_LT(disabled, 500);
  EXPECT_EQ(Value("SELECT count(*) FROM endpoint_changes"), absl::StrCat(disabled));
}

TEST_F(RecordCountTest, DisablingIsAChangeOfTheEndpoint) {
  const EndpointId endpoint = NewEndpoint();
  const auto before = endpoints_.Get(endpoint);
  ASSERT_TRUE(before.ok());
  EXPECT_THAT(Count({TallyFor(endpoint, {1, 1, 1, false}, 2)}), IsEmpty());
  EXPECT_EQ(endpoints_.Get(endpoint)->revision, before->revision);
  EXPECT_THAT(Count({TallyFor(endpoint, {1, 1, 1, false}, 2)}), SizeIs(1));
  const auto after = endpoints_.Get(endpoint);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->state, EndpointState::kDisabled);
  EXPECT_EQ(after->disabled_reason, DisabledReason::kConsecutiveFailures);
  EXPECT_TRUE(after->disable_time.has_value());
  EXPECT_EQ(after->consecutive_failures, 2);
  EXPECT_EQ(after->revision, before->revision + 1);
  EXPECT_GT(after->update_time, before->update_time);
  EXPECT_THAT(Rows("SELECT kind, detail FROM endpoint_changes ORDER BY change_no"),
              ElementsAre("1|", "4|consecutive failures"));
}

TEST_F(RecordCountTest, GoneDisablesWhateverTheCount) {
  const EndpointId endpoint = NewEndpoint();
  const auto disabled = Count({TallyFor(endpoint, {1, 1, 0, true}, 0, /*gone=*/true)});
  ASSERT_THAT(disabled, SizeIs(1));
  EXPECT_EQ(disabled[0].endpoint_id, endpoint);
  EXPECT_EQ(disabled[0].disabled_reason, DisabledReason::kGone);
  EXPECT_EQ(endpoints_.Get(endpoint)->disabled_reason, DisabledReason::kGone);
}

TEST_F(RecordCountTest, DisabledAndDeletedEndpointsStandStill) {
  const EndpointId disabled = NewEndpoint();
  const EndpointId deleted = NewEndpoint();
  Count({TallyFor(disabled, {7, 7, 7, false}, 0), TallyFor(deleted, {7, 7, 7, false}, 0)});
  ASSERT_TRUE(endpoints_.Disable(disabled).ok());
  ASSERT_TRUE(endpoints_.Delete(deleted).ok());
  const std::string before = database_->Dump();
  for (const policy::Tally& tally : {policy::Tally{9, 9, 9, false}, policy::Tally{0, 0, 0, true}}) {
    EXPECT_THAT(Count({TallyFor(disabled, tally, 5, true), TallyFor(deleted, tally, 5, true)}),
                IsEmpty());
  }
  EXPECT_EQ(database_->Dump(), before);
  ASSERT_TRUE(endpoints_.Enable(disabled, false).ok());
  EXPECT_EQ(endpoints_.Get(disabled)->consecutive_failures, 0);
}

TEST_F(RecordCountTest, SuccessesOfAHealthyEndpointWriteNothing) {
  const EndpointId endpoint = NewEndpoint();
  const std::string query = "SELECT ctid, xmin FROM endpoint_states";
  const std::vector<std::string> before = Rows(query);
  Count({TallyFor(endpoint, {0, 0, 0, true}, 50)});
  EXPECT_EQ(Rows(query), before);
}

TEST_F(RecordCountTest, TheAnswerSaysWhatEachCounterIsNow) {
  const EndpointId failing = NewEndpoint();
  const EndpointId well = NewEndpoint();
  Count({TallyFor(failing, {2, 2, 2, false}, 50)});
  const auto counts = dispatch_.Record(
      {}, {TallyFor(failing, {3, 3, 3, false}, 50), TallyFor(well, {0, 0, 0, true}, 50)});
  ASSERT_TRUE(counts.ok()) << counts.status();
  // A counter that was 0 and stays it is not mentioned.
  ASSERT_THAT(*counts, SizeIs(1));
  EXPECT_EQ((*counts)[0].endpoint_id, failing);
  EXPECT_EQ((*counts)[0].consecutive_failures, 5);
  EXPECT_EQ((*counts)[0].disabled_reason, DisabledReason::kNone);
}

TEST_F(RecordCountTest, CountsAreStoredWithTheirOutcomes) {
  const EndpointId endpoint = NewEndpoint();
  const std::vector<Leased> leased = Lease(2);
  const auto disabled = dispatch_.Record({OutcomeOf(leased[0], AttemptOutcome::kHttpStatus),
                                          OutcomeOf(leased[1], AttemptOutcome::kSucceeded)},
                                         {TallyFor(endpoint, {1, 1, 0, true}, 1)});
  ASSERT_TRUE(disabled.ok()) << disabled.status();
  EXPECT_THAT(*disabled, SizeIs(1));
  EXPECT_EQ(Value("SELECT count(*) FROM attempts"), "2");
  EXPECT_EQ(endpoints_.Get(endpoint)->state, EndpointState::kDisabled);
}

// Eight nodes, each with batches about the same endpoints at once.
class ManyWritersTest : public RecordCountTest {
 protected:
  static constexpr size_t kEndpoints = 10;
  static constexpr int kBatches = 40;
  static constexpr int kWriters = 8;

  // Counts `tally` against every endpoint, kBatches times a writer; tells the endpoints disabled.
  std::vector<EndpointId> CountTogether(const policy::Tally& tally, int threshold) {
    MakeStates(std::vector<State>(kEndpoints));
    std::vector<std::vector<EndpointId>> disabled(kWriters);
    std::vector<std::thread> threads;
    for (auto& mine : disabled) {
      threads.emplace_back([&, this] {
        std::vector<EndpointTally> tallies;
        for (size_t i = 1; i <= kEndpoints; ++i) {
          tallies.push_back(TallyFor(Numbered(i), tally, threshold));
        }
        PgDispatchStore store(Options(SessionKind::kHot));
        for (int batch = 0; batch < kBatches; ++batch) {
          const auto counted = store.Record({}, tallies);
          ASSERT_TRUE(counted.ok()) << counted.status();
          for (const EndpointCount& one : DisabledAmong(*counted)) mine.push_back(one.endpoint_id);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<EndpointId> all;
    for (const auto& mine : disabled) all.insert(all.end(), mine.begin(), mine.end());
    std::sort(all.begin(), all.end());
    return all;
  }
};

TEST_F(ManyWritersTest, NoFailureIsLost) {
  EXPECT_THAT(CountTogether({3, 3, 3, false}, 0), IsEmpty());
  EXPECT_EQ(States(), std::vector<State>(kEndpoints, State{3 * kBatches * kWriters}));
}

TEST_F(ManyWritersTest, AnEndpointIsDisabledExactlyOnceAndExactlyThere) {
  // Not a multiple of what a batch brings; the last batches come when it is over.
  const std::vector<EndpointId> disabled = CountTogether({3, 3, 3, false}, 500);
  ASSERT_THAT(disabled, SizeIs(kEndpoints));
  for (size_t i = 0; i < kEndpoints; ++i) EXPECT_EQ(disabled[i], Numbered(i + 1));
  EXPECT_EQ(States(), std::vector<State>(kEndpoints, State{500, EndpointState::kDisabled,
                                                           DisabledReason::kConsecutiveFailures}));
  EXPECT_EQ(Value("SELECT count(*) FROM endpoint_changes"), absl::StrCat(kEndpoints));
}

TEST_F(ManyWritersTest, SuccessesBetweenKeepItEnabled) {
  EXPECT_THAT(CountTogether({2, 2, 2, true}, 5), IsEmpty());
  EXPECT_EQ(States(), std::vector<State>(kEndpoints, State{2}));
}

// The recorder and a call from outside change the same endpoint: whoever is second waits, and
// neither is made to start over by a deadlock, which PostgreSQL takes a second to notice.
TEST_F(RecordCountTest, DisablingByTheCountAndByHandDoNotDeadlock) {
  std::vector<EndpointId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(NewEndpoint());
  std::atomic<bool> stop = false;
  std::thread recorder([&] {
    PgDispatchStore store(Options(SessionKind::kHot));
    std::vector<EndpointTally> tallies;
    for (EndpointId id : ids) tallies.push_back(TallyFor(id, {1, 1, 1, false}, 1));
    while (!stop) EXPECT_TRUE(store.Record({}, tallies).ok());
  });
  for (int round = 0; round < 150; ++round) {
    for (EndpointId id : ids) {
      EXPECT_TRUE(endpoints_.Enable(id, false).ok());
      EXPECT_TRUE(endpoints_.Update(id, [](Endpoint&) { return absl::OkStatus(); }).ok());
    }
  }
  stop = true;
  recorder.join();
}

}  // namespace
}  // namespace postrider
