// What the recorder does about leases that were lost, a database that is away, and outcomes that
// the database refuses.

#include "server/dispatch/recorder.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What was asked of it, a word each: "record 1 2", "late 3", "poison 4".
struct Book {
  std::vector<std::string> calls;
  absl::flat_hash_set<int> lost;                        // deliveries whose lease is lost
  absl::flat_hash_set<int> done;                        // of them, those that are recorded
  std::function<absl::Status(const std::string&)> say;  // none: OK
  std::vector<OutcomeRecord> stored;
  int asked = 0;  // times
};

// The recorder's side of a store: fenced, all or nothing, and failing on demand.
class FakeStore : public DispatchStore {
 public:
  explicit FakeStore(Book& book) : book_(book) {}

  absl::StatusOr<std::vector<EndpointCount>> Record(const std::vector<OutcomeRecord>& outcomes,
                                                    const std::vector<EndpointTally>&) override {
    std::string call = "record";
    for (const OutcomeRecord& outcome : outcomes) absl::StrAppend(&call, " ", NumberOf(outcome));
    if (absl::Status status = Note(call); !status.ok()) return status;
    for (const OutcomeRecord& outcome : outcomes) {
      if (book_.lost.contains(NumberOf(outcome))) return absl::AbortedError("lost");
    }
    book_.stored.insert(book_.stored.end(), outcomes.begin(), outcomes.end());
    return std::vector<EndpointCount>{};
  }
  absl::StatusOr<std::vector<LeaseRef>> LeasesHeld(const std::vector<LeaseRef>& leases) override {
    if (absl::Status status = Ask("held"); !status.ok()) return status;
    std::vector<LeaseRef> held;
    for (const LeaseRef& lease : leases) {
      if (!book_.lost.contains(static_cast<int>(lease.token))) held.push_back(lease);
    }
    return held;
  }
  absl::StatusOr<std::vector<LeaseRef>> LeasesAwaited(
      const std::vector<LeaseRef>& leases) override {
    std::vector<LeaseRef> awaited;
    for (const LeaseRef& lease : leases) {
      if (!book_.done.contains(static_cast<int>(lease.token))) awaited.push_back(lease);
    }
    return awaited;
  }
  absl::StatusOr<std::vector<EndpointCount>> RecordLate(
      const OutcomeRecord& outcome, const std::vector<EndpointTally>&) override {
    if (absl::Status status = Note(absl::StrCat("late ", NumberOf(outcome))); !status.ok()) {
      return status;
    }
    return std::vector<EndpointCount>{};
  }
  absl::Status Poison(const OutcomeRecord& outcome) override {
    return Note(absl::StrCat("poison ", NumberOf(outcome)));
  }
  absl::Status AddTotals(const std::vector<EndpointTotal>&, int32_t) override {
    return absl::OkStatus();
  }
  // Not the recorder's business:
  absl::StatusOr<std::vector<DueEndpoint>> FindDue(EndpointId, int32_t) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>&, int32_t,
                                                     absl::Duration) override {
    return absl::UnimplementedError("");
  }
  absl::Status Release(const std::vector<LeaseRef>&) override {
    return absl::UnimplementedError("");
  }
  absl::Status ReleaseUntold(const std::vector<EventId>&, int32_t) override {
    return absl::UnimplementedError("");
  }
  absl::Status Expire(const std::vector<LeaseRef>&) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<std::vector<FreedWork>> TakeOver(const std::vector<int32_t>&,
                                                  const std::vector<int32_t>&, int32_t,
                                                  absl::Duration) override {
    return absl::UnimplementedError("");
  }

 private:
  static int NumberOf(const OutcomeRecord& outcome) {
    return static_cast<int>(outcome.lease_token);
  }
  absl::Status Note(const std::string& call) {
    book_.calls.push_back(call);
    return Ask(call);
  }
  absl::Status Ask(const std::string& call) {
    ++book_.asked;
    return book_.say ? book_.say(call) : absl::OkStatus();
  }

  Book& book_;
};

class RecorderTest : public ::testing::Test {
 protected:
  // Delivery n has the lease token n.
  static std::vector<FinishedAttempt> Attempts(const std::vector<int>& numbers) {
    std::vector<FinishedAttempt> attempts;
    for (int n : numbers) {
      FinishedAttempt finished;
      finished.record.attempt.delivery_id = DeliveryNo(n);
      finished.record.attempt.endpoint_id = EndpointNo(1);
      finished.record.attempt.outcome = AttemptOutcome::kHttpStatus;
      finished.record.attempt.error = "the receiver answered 500";
      finished.record.attempt.response_headers = {{"x", "y"}};
      finished.record.attempt.response_body = "body";
      finished.record.lease_token = n;
      attempts.push_back(std::move(finished));
    }
    return attempts;
  }

  Instant now_ = absl::Seconds(100);
  DatabaseClock clock_{[this] { return now_; }};
  Book book_;
  int recorded_ = 0;
  std::vector<EndpointId> in_order_;
  Recorder recorder_{std::make_unique<FakeStore>(book_), 1,
                     [this](const Recorded& recorded) {
                       recorded_ += recorded.count;
                       for (EndpointId id : recorded.in_order) in_order_.push_back(id);
                     },
                     clock_};
};

TEST_F(RecorderTest, WhatEndedMeanwhileGoesInOneTransaction) {
  recorder_.Step(Attempts({1, 2, 3}));
  EXPECT_THAT(book_.calls, ElementsAre("record 1 2 3"));
  EXPECT_EQ(recorded_, 3);
}

TEST_F(RecorderTest, AnOutcomeThatLostItsLeaseIsSortedOutAndTheRestIsRecordedInOrder) {
  book_.lost = {2, 4};
  recorder_.Step(Attempts({1, 2, 3, 4, 5}));
  EXPECT_THAT(book_.calls, ElementsAre("record 1 2 3 4 5", "late 4", "late 2", "record 1 3 5"));
  EXPECT_EQ(recorded_, 5);
}

TEST_F(RecorderTest, WhenTheDatabaseGoesAwayInTheMiddleTheRestKeepsItsOrder) {
  book_.lost = {2, 4};
  book_.say = [](const std::string& call) {
    return call == "late 2" ? absl::UnavailableError("away") : absl::OkStatus();
  };
  const Instant next = recorder_.Step(Attempts({1, 2, 3, 4, 5}));
  EXPECT_GT(next, now_);
  EXPECT_EQ(recorded_, 1);  // the late one that was done with
  book_.calls.clear();
  book_.say = nullptr;
  now_ = next;
  recorder_.Step({});
  EXPECT_THAT(book_.calls, ElementsAre("record 1 2 3 5", "late 2", "record 1 3 5"));
  EXPECT_EQ(recorded_, 5);
}

TEST_F(RecorderTest, EveryCommitIsProgressEvenIfAllAnswersAreLost) {
  // Committed, and the connection breaks.
  book_.say = [this](const std::string& call) {
    if (call == "held") return absl::OkStatus();
    for (char c : call) {
      if (c < '1' || c > '9') continue;
      book_.lost.insert(c - '0');
      book_.done.insert(c - '0');
    }
    return absl::UnavailableError("the connection broke");
  };
  now_ = recorder_.Step(Attempts({1, 2, 3}));
  now_ = recorder_.Step(Attempts({4, 5}));
  EXPECT_EQ(recorded_, 3);
  now_ = recorder_.Step(Attempts({6}));
  EXPECT_EQ(recorded_, 5);
  recorder_.Step({});
  EXPECT_EQ(recorded_, 6);
  EXPECT_THAT(book_.calls, ElementsAre("record 1 2 3", "record 4 5", "record 6"));
}

TEST_F(RecorderTest, WhatIsRecordedAlreadyIsNotWrittenAgain) {
  book_.lost = {1, 2, 3};
  book_.done = {1, 3};
  recorder_.Step(Attempts({1, 2, 3, 4}));
  EXPECT_THAT(book_.calls, ElementsAre("record 1 2 3 4", "late 2", "record 4"));
  EXPECT_EQ(recorded_, 4);
}

TEST_F(RecorderTest, WhileTheDatabaseIsAwayItTriesAgainLessAndLessOften) {
  book_.say = [](const std::string&) { return absl::UnavailableError("away"); };
  std::vector<absl::Duration> waits;
  Instant next = recorder_.Step(Attempts({1}));
  for (int i = 0; i < 8; ++i) {
    waits.push_back(next - now_);
    // Not before its time, whatever comes in.
    const int asked = book_.asked;
    recorder_.Step({});
    EXPECT_EQ(book_.asked, asked);
    now_ = next;
    next = recorder_.Step({});
  }
  EXPECT_THAT(
      waits, ElementsAre(absl::Milliseconds(50), absl::Milliseconds(100), absl::Milliseconds(200),
                         absl::Milliseconds(400), absl::Milliseconds(800), absl::Milliseconds(1600),
                         absl::Seconds(2), absl::Seconds(2)));
  EXPECT_EQ(recorded_, 0);
}

TEST_F(RecorderTest, AnOutcomeThatIsRefusedIsStoredWithoutWhatTheReceiverSentAndHoldsUpNobody) {
  book_.say = [this](const std::string& call) {
    const bool has_three = call.find(" 3") != std::string::npos;
    const size_t times = static_cast<size_t>(
        std::count(book_.calls.begin(), book_.calls.end(), std::string("record 3")));
    return has_three && times < 2 ? absl::InternalError("refused") : absl::OkStatus();
  };
  recorder_.Step(Attempts({1, 2, 3, 4}));
  EXPECT_EQ(recorded_, 4);
  ASSERT_EQ(book_.stored.size(), 4u);
  for (const OutcomeRecord& stored : book_.stored) {
    const bool bare = stored.lease_token == 3;
    EXPECT_EQ(stored.attempt.response_body, bare ? "" : "body");
    EXPECT_EQ(stored.attempt.response_headers.empty(), bare);
    EXPECT_EQ(stored.attempt.outcome, AttemptOutcome::kHttpStatus);
  }
}

TEST_F(RecorderTest, AnOutcomeThatIsRefusedForGoodEndsItsDelivery) {
  book_.say = [](const std::string& call) {
    const bool record = call.find("record") == 0 && call.find(" 2") != std::string::npos;
    return record ? absl::InternalError("refused") : absl::OkStatus();
  };
  recorder_.Step(Attempts({1, 2, 3}));
  EXPECT_EQ(recorded_, 3);
  EXPECT_EQ(book_.stored.size(), 2u);
  EXPECT_THAT(book_.calls, ::testing::Contains("poison 2").Times(1));
}

TEST_F(RecorderTest, OfWhatGoesInOrderItSaysWhenItIsStoredAndNotBefore) {
  std::vector<FinishedAttempt> attempts = Attempts({1, 2, 3});
  attempts[0].in_order = attempts[2].in_order = true;
  attempts[2].record.attempt.endpoint_id = EndpointNo(2);
  book_.lost = {3};
  book_.say = [](const std::string& call) {
    return call == "record 1 2" ? absl::UnavailableError("away") : absl::OkStatus();
  };
  recorder_.Step(std::move(attempts));
  EXPECT_THAT(in_order_, ElementsAre(EndpointNo(2)));
  book_.say = nullptr;
  book_.lost = {};
  now_ += absl::Seconds(1);
  recorder_.Step({});
  EXPECT_THAT(in_order_, ElementsAre(EndpointNo(2), EndpointNo(1)));
  EXPECT_EQ(recorded_, 3);
}

TEST_F(RecorderTest, WhatDoesNotCountIsInNobodysTally) {
  std::vector<FinishedAttempt> attempts = Attempts({1});
  attempts[0].counts = false;
  EXPECT_THAT(TalliesOf(attempts), IsEmpty());
}

}  // namespace
}  // namespace postrider::dispatch
