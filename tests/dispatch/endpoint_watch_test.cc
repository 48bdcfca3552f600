// No change of an endpoint is missed, whatever the database answers, and nothing is said to be
// valid that was not looked at.

#include "server/dispatch/endpoint_watch.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A database of endpoints with a log of changes, which can be away.
struct Book {
  std::vector<EndpointChange> changes;
  bool unreachable = false;
  int loads_until_unreachable = -1;  // -1: never
  std::set<EndpointId> damaged;      // their secrets do not open
  int64_t position = 1;              // changes before it are over
};

class FakeReader : public EndpointReader {
 public:
  explicit FakeReader(Book& book) : book_(book) {}

  absl::StatusOr<std::vector<EndpointForDispatch>> Load(
      const std::vector<EndpointId>& ids) override {
    if (book_.unreachable || book_.loads_until_unreachable == 0) {
      return absl::UnavailableError("away");
    }
    if (book_.loads_until_unreachable > 0) --book_.loads_until_unreachable;
    std::vector<EndpointForDispatch> found;
    for (EndpointId id : ids) {
      EndpointForDispatch stored;
      stored.endpoint.id = id;
      stored.endpoint.tenant = {"org", "env"};
      stored.endpoint.config.url = "https://example.com/";
      if (book_.damaged.contains(id)) stored.secrets.push_back({1});
      found.push_back(std::move(stored));
    }
    return found;
  }
  absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) override {
    if (book_.unreachable) return absl::UnavailableError("away");
    EndpointChanges changes;
    changes.position = book_.position;
    for (const EndpointChange& change : book_.changes) {
      if (position != 0 && change.change_no >= position) changes.changes.push_back(change);
    }
    return changes;
  }

 private:
  Book& book_;
};

class EndpointWatchTest : public ::testing::Test {
 protected:
  // Endpoints `first` to `last` are asked for.
  std::vector<EndpointNews> Ask(int first, int last) {
    EndpointWatch::Wish wish;
    for (int n = first; n <= last; ++n) wish.load.push_back(EndpointNo(n));
    return Step({wish});
  }
  std::vector<EndpointNews> Step(std::vector<EndpointWatch::Wish> wishes = {}) {
    watch_.Step(std::move(wishes));
    return std::exchange(news_, {});
  }
  std::vector<EndpointNews> Poll() {
    now_ += absl::Milliseconds(250);
    return Step();
  }
  static std::set<EndpointId> Read(const std::vector<EndpointNews>& news) {
    std::set<EndpointId> ids;
    for (const EndpointNews& one : news) {
      for (const auto& target : one.targets) ids.insert(target->id);
    }
    return ids;
  }

  Instant now_ = absl::Seconds(100);
  DatabaseClock clock_{[this] { return now_; }};
  Book book_;
  security::KeyRing keys_ =
      security::KeyRing::Create(security::MasterKey::Parse(std::string(64, '1')).value(), {})
          .value();
  std::vector<EndpointNews> news_;
  EndpointWatch watch_{std::make_unique<FakeReader>(book_),
                       keys_,
                       {},
                       {},
                       [this](EndpointNews news) { news_.push_back(std::move(news)); },
                       clock_};
};

TEST_F(EndpointWatchTest, WhatIsAskedForIsReadAndEveryLookSaysSinceWhenAllIsValid) {
  EXPECT_THAT(Read(Ask(1, 2)), ElementsAre(EndpointNo(1), EndpointNo(2)));
  const std::vector<EndpointNews> news = Poll();
  ASSERT_THAT(news, SizeIs(1));
  EXPECT_THAT(news[0].targets, IsEmpty());
  EXPECT_EQ(news[0].validated_at, now_);
}

TEST_F(EndpointWatchTest, AChangeOfAnEndpointThatIsFollowedIsReadOnce) {
  Ask(1, 1);
  book_.changes = {{5, EndpointNo(1)}, {6, EndpointNo(2)}};
  EXPECT_THAT(Read(Poll()), ElementsAre(EndpointNo(1)));
  // It is given again as long as some transaction holds the position back.
  EXPECT_THAT(Read(Poll()), IsEmpty());
  book_.changes.push_back({7, EndpointNo(1)});
  EXPECT_THAT(Read(Poll()), ElementsAre(EndpointNo(1)));
}

TEST_F(EndpointWatchTest, NothingIsReadBeforeChangesCanBeFollowed) {
  book_.unreachable = true;
  EXPECT_THAT(Ask(1, 1), IsEmpty());
  book_.unreachable = false;
  // At once, not at the next poll: else a change in between would never be seen.
  const std::vector<EndpointNews> news = Step();
  EXPECT_THAT(Read(news), ElementsAre(EndpointNo(1)));
  EXPECT_EQ(news[0].validated_at, now_);
}

TEST_F(EndpointWatchTest, WhatWasReadBeforeTheDatabaseWentAwayIsNotLost) {
  book_.loads_until_unreachable = 1;
  EXPECT_THAT(Ask(1, 700), IsEmpty());  // 500 of them were read
  EXPECT_THAT(Poll(), IsEmpty());
  book_.loads_until_unreachable = -1;
  const std::vector<EndpointNews> news = Poll();
  EXPECT_THAT(Read(news), SizeIs(700));
  EXPECT_EQ(news[0].validated_at, now_);
}

TEST_F(EndpointWatchTest, NothingIsConfirmedWhileTheDatabaseIsAway) {
  Ask(1, 1);
  book_.unreachable = true;
  EXPECT_THAT(Poll(), IsEmpty());
  EXPECT_THAT(Poll(), IsEmpty());
  book_.unreachable = false;
  EXPECT_THAT(Poll(), SizeIs(1));
}

TEST_F(EndpointWatchTest, CancelsAreToldWithTheLookThatFoundThem) {
  Ask(1, 2);
  book_.changes = {{5, EndpointNo(1), true}, {6, EndpointNo(3), true}, {7, EndpointNo(2)}};
  book_.loads_until_unreachable = 0;
  EXPECT_THAT(Poll(), IsEmpty());
  const Instant found = now_;
  book_.loads_until_unreachable = -1;
  now_ += absl::Milliseconds(10);
  // Told late, and as of when it was found: what is leased from then on is not among them. Also of
  // an endpoint that is not followed yet: its deliveries may wait for that.
  const std::vector<EndpointNews> news = Step();
  ASSERT_THAT(news, SizeIs(1));
  EXPECT_THAT(news[0].canceled, ::testing::UnorderedElementsAre(EndpointNo(1), EndpointNo(3)));
  EXPECT_EQ(news[0].canceled_by, found);
  EXPECT_EQ(news[0].validated_at, found);
  EXPECT_THAT(Poll()[0].canceled, IsEmpty());
}

TEST_F(EndpointWatchTest, AnEndpointWhoseSecretsDoNotOpenIsKnownAndFollowedButHasNoSecret) {
  book_.damaged = {EndpointNo(1)};
  const std::vector<EndpointNews> news = Ask(1, 1);
  ASSERT_THAT(Read(news), ElementsAre(EndpointNo(1)));
  EXPECT_THAT(news[0].targets[0]->secrets, IsEmpty());
  EXPECT_TRUE(news[0].targets[0]->url.empty());
  book_.damaged.clear();
  book_.changes = {{5, EndpointNo(1)}};
  const std::vector<EndpointNews> mended = Poll();
  ASSERT_THAT(Read(mended), ElementsAre(EndpointNo(1)));
  EXPECT_FALSE(mended[0].targets[0]->url.empty());
}

TEST_F(EndpointWatchTest, WhatTheDispatcherForgotIsNotFollowed) {
  Ask(1, 2);
  EndpointWatch::Wish wish;
  wish.forget = {EndpointNo(1)};
  Step({wish});
  book_.changes = {{5, EndpointNo(1)}, {6, EndpointNo(2)}};
  EXPECT_THAT(Read(Poll()), ElementsAre(EndpointNo(2)));
}

}  // namespace
}  // namespace postrider::dispatch
