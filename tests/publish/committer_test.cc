// Group commit: who goes together, who stays behind, and what each call is told.

#include "server/publish/committer.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace postrider::publish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Results = absl::StatusOr<std::vector<AcceptResult>>;

// Accepts everything, unless `say` says otherwise of a batch ("a b" is one with events of these
// types).
struct Book {
  std::vector<std::string> batches;
  std::function<absl::Status(const std::string&)> say;
};

class FakeAcceptor : public EventAcceptor {
 public:
  explicit FakeAcceptor(Book& book) : book_(book) {}

  Results Accept(const std::vector<NewEvent>& events, const std::vector<int32_t>&,
                 const FanOutLease&) override {
    const std::string batch = absl::StrJoin(
        events, " ", [](std::string* out, const NewEvent& event) { out->append(event.type); });
    book_.batches.push_back(batch);
    if (book_.say) {
      if (absl::Status status = book_.say(batch); !status.ok()) return status;
    }
    return std::vector<AcceptResult>(events.size());
  }

 private:
  Book& book_;
};

class CommitterTest : public ::testing::Test {
 protected:
  // A call with events of these types; what it is told is noted as "a OK" or "a UNAVAILABLE".
  Submission Call(const std::vector<std::string>& types, const std::string& key = "",
                  Instant deadline = absl::InfiniteDuration(), const std::string& org = "org") {
    Submission call;
    for (const std::string& type : types) {
      NewEvent event;
      event.tenant = {org, "env"};
      event.type = type;
      event.idempotency_key = key;
      event.body = std::make_shared<const std::string>("{}");
      call.events.push_back(std::move(event));
    }
    call.deadline = deadline;
    call.done = [this, name = types[0]](Results results) {
      told_.push_back(absl::StrCat(name, " ", absl::StatusCodeToString(results.status().code())));
      if (!results.ok()) message_ = std::string(results.status().message());
    };
    return call;
  }
  Submission CallOf(const std::string& org, const std::string& type) {
    return Call({type}, "", absl::InfiniteDuration(), org);
  }
  void Admit(Submission call) {
    ASSERT_TRUE(committer_.Admit(call).ok());
    admitted_.push_back(std::move(call));
  }
  // Steps until nothing waits.
  void Run() {
    while (committer_.Step(std::exchange(admitted_, {})) < absl::InfiniteDuration()) {
    }
  }

  static CommitLimits Limits() {
    CommitLimits limits;
    limits.max_waiting_events = 12;
    limits.max_batch_events = 3;
    return limits;
  }

  Instant now_ = absl::Seconds(100);
  DatabaseClock clock_{[this] { return now_; }};
  Book book_;
  std::vector<std::string> told_;
  std::string message_;
  std::vector<Submission> admitted_;
  int accepted_ = 0;
  int untold_ = 0;
  Committer committer_{
      std::make_unique<FakeAcceptor>(book_),
      Limits(),
      [] { return FanOutLease(); },
      {[this](const std::vector<NewEvent>& events, const auto&, Instant) {
         accepted_ += static_cast<int>(events.size());
       },
       [this](std::vector<EventId> events) { untold_ += static_cast<int>(events.size()); }},
      clock_};
};

TEST_F(CommitterTest, WhoeverWaitsGoesTogetherUpToTheLimit) {
  for (const char* type : {"a", "b", "c", "d"}) Admit(Call({type}));
  Run();
  EXPECT_THAT(book_.batches, ElementsAre("a b c", "d"));
  EXPECT_THAT(told_, ElementsAre("a OK", "b OK", "c OK", "d OK"));
  EXPECT_EQ(accepted_, 4);
}

TEST_F(CommitterTest, TheEventsOfACallStayTogetherHoweverManyTheyAre) {
  Admit(Call({"a", "a", "a", "a", "a"}));
  Admit(Call({"b"}));
  Run();
  EXPECT_THAT(book_.batches, ElementsAre("a a a a a", "b"));
}

TEST_F(CommitterTest, MoreThanMayWaitIsRefusedUntilThereIsRoom) {
  for (const char* org : {"one", "two"}) {
    for (int i = 0; i < 6; ++i) Admit(CallOf(org, "a"));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(committer_.Admit(CallOf("three", "b"))));
  Run();
  EXPECT_TRUE(committer_.Admit(CallOf("three", "b")).ok());
}

TEST_F(CommitterTest, AnOrgFillsHalfOfTheQueueAtMost) {
  for (int i = 0; i < 6; ++i) Admit(CallOf("busy", "a"));
  EXPECT_TRUE(absl::IsResourceExhausted(committer_.Admit(CallOf("busy", "a"))));
  Admit(CallOf("other", "b"));
  Run();
  EXPECT_EQ(told_.size(), 7);
  EXPECT_TRUE(committer_.Admit(CallOf("busy", "a")).ok());
}

TEST_F(CommitterTest, ACallThatStayedBehindForItsKeyGoesBeforeLaterOnes) {
  Admit(Call({"a"}, "key"));
  Admit(Call({"b"}, "key"));
  for (const char* type : {"c", "d", "e"}) Admit(Call({type}));
  Run();
  EXPECT_THAT(book_.batches, ElementsAre("a c d", "b e"));
}

TEST_F(CommitterTest, OrgsHaveTheirTurnsAndKeepTheirOrder) {
  for (const char* type : {"a1", "a2", "a3"}) Admit(CallOf("busy", type));
  for (const char* type : {"b1", "b2"}) Admit(CallOf("other", type));
  Run();
  EXPECT_THAT(book_.batches, ElementsAre("a1 b1 a2", "b2 a3"));
}

TEST_F(CommitterTest, TransactionsAreShorterWhileSeveralOrgsPublish) {
  CommitLimits limits;
  limits.max_batch_events = 150;
  Committer committer(
      std::make_unique<FakeAcceptor>(book_), limits, [] { return FanOutLease(); },
      {[](const auto&, const auto&, Instant) {}, [](std::vector<EventId>) {}}, clock_);
  // An event takes 0.25 ms, so 20 ms are 80 of them.
  size_t most = 0;
  book_.say = [&](const std::string& batch) {
    const size_t events = (batch.size() + 1) / 2;
    now_ += absl::Microseconds(250) * static_cast<int64_t>(events);
    most = std::max(most, events);
    return absl::OkStatus();
  };
  const auto publish = [&](int of_one, int of_two) {
    std::vector<Submission> calls;
    for (int i = 0; i < of_one; ++i) calls.push_back(CallOf("one", "a"));
    for (int i = 0; i < of_two; ++i) calls.push_back(CallOf("two", "b"));
    for (const Submission& call : calls) ASSERT_TRUE(committer.Admit(call).ok());
    most = 0;
    while (committer.Step(std::exchange(calls, {})) < absl::InfiniteDuration()) {
    }
  };
  publish(400, 0);
  EXPECT_EQ(most, 150u);
  publish(400, 1);
  EXPECT_EQ(most, 150u) << "what is known when it begins";
  publish(400, 1);
  EXPECT_EQ(most, 80u);
  now_ += absl::Seconds(1);
  publish(400, 0);
  EXPECT_EQ(most, 150u);
}

TEST_F(CommitterTest, ACallWhoseDeadlinePassedIsNotStored) {
  Admit(Call({"late"}, "", now_));
  Admit(Call({"a"}, "", now_ + absl::Nanoseconds(1)));
  Run();
  EXPECT_THAT(book_.batches, ElementsAre("a"));
  EXPECT_THAT(told_, ::testing::UnorderedElementsAre("late DEADLINE_EXCEEDED", "a OK"));
  EXPECT_THAT(message_, HasSubstr("nothing was stored"));
}

TEST_F(CommitterTest, ASecondCallUnderAKeyWaitsForTheFirst) {
  Admit(Call({"a"}, "key"));
  Admit(Call({"b"}, "key"));
  Admit(Call({"c"}, "other"));
  Run();
  EXPECT_THAT(book_.batches, ElementsAre("a c", "b"));
}

TEST_F(CommitterTest, OneCallThatIsRefusedDoesNotFailTheOthers) {
  book_.say = [](const std::string& batch) {
    return batch.find('x') == std::string::npos ? absl::OkStatus() : absl::InternalError("no");
  };
  for (const char* type : {"a", "x", "b"}) Admit(Call({type}));
  Run();
  EXPECT_THAT(told_, ElementsAre("a OK", "x INTERNAL", "b OK"));
}

TEST_F(CommitterTest, ACallThatFansOutTooFarIsToldToBeSmaller) {
  book_.say = [](const std::string& batch) {
    return batch.find('x') == std::string::npos ? absl::OkStatus() : absl::OutOfRangeError("far");
  };
  Admit(Call({"x"}));
  Admit(Call({"a"}));
  Run();
  EXPECT_THAT(told_, ElementsAre("x FAILED_PRECONDITION", "a OK"));
  EXPECT_THAT(message_, HasSubstr("smaller batches"));
}

TEST_F(CommitterTest, AnUnknownOutcomeIsUnavailableForAllOfABatch) {
  book_.say = [](const std::string&) { return absl::UnknownError("the connection broke"); };
  Admit(Call({"a"}));
  Admit(Call({"b"}));
  Run();
  EXPECT_THAT(told_, ElementsAre("a UNAVAILABLE", "b UNAVAILABLE"));
  EXPECT_EQ(accepted_, 0);
  EXPECT_EQ(untold_, 2);
}

TEST_F(CommitterTest, WhatWasNotStoredForCertainNeedNotBeGivenBack) {
  book_.say = [](const std::string&) { return absl::UnavailableError("no connection"); };
  Admit(Call({"a"}));
  Run();
  EXPECT_THAT(told_, ElementsAre("a UNAVAILABLE"));
  EXPECT_EQ(untold_, 0);
}

TEST_F(CommitterTest, ALostRaceForAKeyIsRunAgain) {
  int races = 1;
  book_.say = [&races](const std::string&) {
    return races-- > 0 ? absl::AbortedError("raced") : absl::OkStatus();
  };
  Admit(Call({"a"}));
  Admit(Call({"x"}, "key"));
  Run();
  EXPECT_THAT(book_.batches, ElementsAre("a x", "a x"));
  EXPECT_THAT(told_, ElementsAre("a OK", "x OK"));
}

TEST_F(CommitterTest, WhoLosesRacesAllTheTimeDoesNotFailTheOthers) {
  book_.say = [](const std::string& batch) {
    return batch.find('x') == std::string::npos ? absl::OkStatus() : absl::AbortedError("raced");
  };
  for (const char* type : {"a", "x", "b"}) Admit(Call({type}, type));
  Run();
  EXPECT_THAT(told_, ElementsAre("a OK", "x ABORTED", "b OK"));
  EXPECT_THAT(book_.batches,
              ElementsAre("a x b", "a x b", "a", "x b", "x b", "x", "x", "x", "x", "x", "b"));
}

TEST_F(CommitterTest, ARaceThatNeverEndsIsGivenUp) {
  book_.say = [](const std::string&) { return absl::AbortedError("raced"); };
  Admit(Call({"a"}, "key"));
  Run();
  EXPECT_EQ(book_.batches.size(), 5u);
  EXPECT_THAT(told_, ElementsAre("a ABORTED"));
  EXPECT_THAT(message_, HasSubstr("nothing was stored"));
}

TEST_F(CommitterTest, NothingToDoIsNothing) {
  EXPECT_EQ(committer_.Step({}), absl::InfiniteDuration());
  EXPECT_THAT(book_.batches, IsEmpty());
}

}  // namespace
}  // namespace postrider::publish
