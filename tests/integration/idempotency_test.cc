// SEMANTICS, "The event": one key, one event.

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

class IdempotencyTest : public EngineTest {
 protected:
  v1::PublishRequest Keyed(const std::string& key, absl::string_view data = R"({"n":1})") {
    v1::PublishRequest request = Event("message.received", data);
    request.set_idempotency_key(key);
    return request;
  }
};

TEST_F(IdempotencyTest, ASecondPublishReturnsTheFirstEventAndDeliversNothingNew) {
  CreateAt(receiver_.Url("/a"));
  CreateAt(receiver_.Url("/b"));
  const v1::PublishResponse first = Publish(Keyed("k"));
  EXPECT_FALSE(first.duplicate());
  EXPECT_EQ(first.delivery_count(), 2);
  CreateAt(receiver_.Url("/c"));  // Came later: not what the first one matched.
  const v1::PublishResponse second = Publish(Keyed("k"));
  EXPECT_TRUE(second.duplicate());
  EXPECT_EQ(second.event_id(), first.event_id());
  EXPECT_EQ(second.delivery_count(), 2);
  EXPECT_EQ(ToTime(second.create_time()), ToTime(first.create_time()));
  ASSERT_EQ(receiver_.WaitForRequests(2).size(), 2u);
  EXPECT_TRUE(receiver_.StaysAt(2));
  EXPECT_EQ(DeliveriesOf(first.event_id()).size(), 2u);
}

TEST_F(IdempotencyTest, AnotherTypeUnderTheKeyAlreadyExists) {
  Publish(Keyed("k"));
  v1::PublishRequest other = Keyed("k");
  other.set_type("message.sent");
  const grpc::Status status = api().Publish(other).status;
  EXPECT_REFUSED(status, StatusCode::ALREADY_EXISTS);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "idempotency")) << ToText(status);
}

TEST_F(IdempotencyTest, OtherDataUnderTheKeyAlreadyExists) {
  Publish(Keyed("k", R"({"n":1})"));
  EXPECT_REFUSED(api().Publish(Keyed("k", R"({"n":2})")).status, StatusCode::ALREADY_EXISTS);
  // Other bytes are other data, even where they mean the same.
  EXPECT_REFUSED(api().Publish(Keyed("k", R"({"n": 1})")).status, StatusCode::ALREADY_EXISTS);
}

TEST_F(IdempotencyTest, TheSameBytesGivenAsAStructAreTheSameData) {
  const v1::PublishResponse first = Publish(Keyed("k", R"( {"n":1} )"));
  v1::PublishRequest again = Keyed("k");
  (*again.mutable_data()->mutable_fields())["n"].set_number_value(1);
  EXPECT_EQ(Publish(again).event_id(), first.event_id());
}

TEST_F(IdempotencyTest, AnotherEventTimeUnderTheKeyAlreadyExists) {
  v1::PublishRequest request = Keyed("k");
  request.mutable_event_time()->set_seconds(1000);
  Publish(request);
  request.mutable_event_time()->set_seconds(1001);
  EXPECT_REFUSED(api().Publish(request).status, StatusCode::ALREADY_EXISTS);
}

TEST_F(IdempotencyTest, EventTimesAreComparedOnlyWhereBothGiveOne) {
  v1::PublishRequest with_time = Keyed("k");
  with_time.mutable_event_time()->set_seconds(1000);
  const std::string first = Publish(with_time).event_id();
  EXPECT_EQ(Publish(Keyed("k")).event_id(), first);
  const std::string second = Publish(Keyed("j")).event_id();
  with_time.set_idempotency_key("j");
  EXPECT_EQ(Publish(with_time).event_id(), second);
}

TEST_F(IdempotencyTest, EventTimesThatDifferBelowTheMillisecondAreTheSame) {
  v1::PublishRequest request = Keyed("k");
  request.mutable_event_time()->set_nanos(5000001);
  const std::string first = Publish(request).event_id();
  request.mutable_event_time()->set_nanos(5999999);
  EXPECT_EQ(Publish(request).event_id(), first);
}

TEST_F(IdempotencyTest, AnotherOrgOrEnvironmentHasKeysOfItsOwn) {
  std::set<std::string> ids;
  ids.insert(Publish(Keyed("k")).event_id());
  v1::PublishRequest request = Keyed("k");
  request.set_env_id("env_2");
  ids.insert(Publish(request).event_id());
  request.set_org_id(org() + "x");
  ids.insert(Publish(request).event_id());
  EXPECT_EQ(ids.size(), 3u);
}

TEST_F(IdempotencyTest, KeysAreOneTo255BytesOfPrintableAscii) {
  std::string printable;
  for (char c = ' '; c <= '~'; ++c) printable.push_back(c);
  for (const std::string& key : {std::string("k"), std::string(255, 'k'), printable}) {
    const std::string id = Publish(Keyed(key)).event_id();
    EXPECT_EQ(Publish(Keyed(key)).event_id(), id);
    EXPECT_EQ(GetEvent(id).idempotency_key(), key);
  }
  EXPECT_BAD_FIELDS(api().Publish(Keyed(std::string(256, 'k'))).status, "idempotency_key");
  for (const char* key : {"a\tb", "\x7f", "\xC3\xA9", "\n"}) {
    EXPECT_BAD_FIELDS(api().Publish(Keyed(key)).status, "idempotency_key");
  }
}

TEST_F(IdempotencyTest, TheKeyFindsTheEvent) {
  const std::string id = Publish(Keyed("the key")).event_id();
  v1::GetEventRequest request;
  request.set_org_id(org());
  request.set_env_id(env());
  request.set_idempotency_key("the key");
  const Reply<v1::GetEventResponse> reply = api().GetEvent(request);
  EXPECT_EQ(reply->event().id(), id) << ToText(reply.status);
  request.set_env_id("env_2");
  EXPECT_REFUSED(api().GetEvent(request).status, StatusCode::NOT_FOUND);
}

TEST_F(IdempotencyTest, ADryRunTellsOfADuplicateAndStoresNoKey) {
  v1::PublishRequest dry = Keyed("k");
  dry.set_validate_only(true);
  EXPECT_FALSE(Publish(dry).duplicate());
  const v1::PublishResponse first = Publish(Keyed("k"));
  EXPECT_FALSE(first.duplicate());
  const v1::PublishResponse again = Publish(dry);
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.event_id(), first.event_id());
}

TEST_F(IdempotencyTest, AKeyRacedBySixteenThreadsGivesOneEvent) {
  constexpr int kThreads = 16;
  CreateAt(receiver_.Url());
  std::vector<Reply<v1::PublishResponse>> replies(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { replies[i] = api().Publish(Keyed("raced")); });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> ids;
  int first_ones = 0;
  for (const Reply<v1::PublishResponse>& reply : replies) {
    ASSERT_TRUE(reply.ok()) << ToText(reply.status);
    ids.insert(reply->event_id());
    first_ones += reply->duplicate() ? 0 : 1;
    EXPECT_EQ(reply->delivery_count(), 1);
  }
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(first_ones, 1);
  ASSERT_EQ(receiver_.WaitForRequests(1).size(), 1u);
  EXPECT_TRUE(receiver_.StaysAt(1));
}

class IdempotencyOfServersTest : public OwnServersTest {};

TEST_F(IdempotencyOfServersTest, AKeyRacedByTwoServersGivesOneEvent) {
  constexpr int kKeys = 40;
  constexpr int kThreads = 8;
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Caller caller(first->api());
  caller.CreateAt(receiver_.Url());
  std::vector<std::vector<std::string>> ids(kThreads, std::vector<std::string>(kKeys));
  std::vector<int> new_ones(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Api& api = t % 2 == 0 ? first->api() : second->api();
      for (int k = 0; k < kKeys; ++k) {
        v1::PublishRequest request = caller.Event();
        request.set_idempotency_key(absl::StrCat("key ", k));
        const Reply<v1::PublishResponse> reply = api.Publish(request);
        EXPECT_TRUE(reply.ok()) << ToText(reply.status);
        ids[t][k] = reply->event_id();
        new_ones[t] += reply.ok() && !reply->duplicate() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int sum = 0;
  for (int t = 0; t < kThreads; ++t) {
    sum += new_ones[t];
    EXPECT_EQ(ids[t], ids[0]);
  }
  EXPECT_EQ(sum, kKeys);
  EXPECT_EQ(receiver_.WaitForRequests(kKeys).size(), static_cast<size_t>(kKeys));
  EXPECT_TRUE(receiver_.StaysAt(kKeys));
}

TEST_F(IdempotencyOfServersTest, AKeyIsForgottenWhenItsWindowHasPassed) {
  ServerProcess* const server = StartServer({"--idempotency-window", "3s"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  v1::PublishRequest request = caller.Event();
  request.set_idempotency_key("k");
  const absl::Time before = absl::Now();
  const v1::PublishResponse first = caller.Publish(request);
  v1::PublishResponse last;
  ASSERT_TRUE(WaitUntil([&] {
    last = caller.Publish(request);
    return !last.duplicate();
  }));
  EXPECT_NE(last.event_id(), first.event_id());
  // The server's idea of the database's clock may be a little behind it.
  EXPECT_GE(absl::Now() - before, absl::Milliseconds(2990));
  EXPECT_LE(ToTime(last.create_time()) - ToTime(first.create_time()), absl::Seconds(5));
}

}  // namespace
}  // namespace postrider::testing
