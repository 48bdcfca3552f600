// SEMANTICS, "The event": StreamPublish answers in any order; a bad item gets its own status and
// the stream lives; it ends in good order when the caller, an unparsable message or a drain ends
// it.

#include <signal.h>

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/publish_stream_call.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

grpc::Status StatusOf(const v1::StreamPublishResponse& answer) {
  if (answer.has_response()) return grpc::Status::OK;
  return grpc::Status(static_cast<StatusCode>(answer.status().code()), answer.status().message(),
                      answer.status().SerializeAsString());
}

std::map<int64_t, v1::StreamPublishResponse> BySequence(
    const std::vector<v1::StreamPublishResponse>& answers) {
  std::map<int64_t, v1::StreamPublishResponse> sorted;
  for (const v1::StreamPublishResponse& answer : answers) {
    EXPECT_TRUE(sorted.emplace(answer.sequence(), answer).second) << answer.sequence();
  }
  return sorted;
}

class StreamPublishTest : public EngineTest {
 protected:
  v1::PublishRequest EventWithKey(const std::string& key, int n = 1) {
    v1::PublishRequest request = Event("message.received", absl::StrCat("{\"n\":", n, "}"));
    request.set_idempotency_key(key);
    return request;
  }

  std::string StoredCount() {
    return database().Value(absl::StrCat(
        "SELECT count(*) FROM events JOIN environments USING (env_no) WHERE org_id = '", org(),
        "'"));
  }
};

TEST_F(StreamPublishTest, EveryItemIsAnsweredOnceWithItsSequence) {
  CreateAt(receiver_.Url());
  PublishStreamCall stream(server().grpc_address());
  constexpr int kItems = 300;
  for (int i = 0; i < kItems; ++i) {
    ASSERT_TRUE(stream.Send(1000 - i, EventWithKey(absl::StrCat("k", i), i)));
  }
  stream.EndSending();
  const auto answers = BySequence(stream.ReadAll());
  EXPECT_TRUE(stream.Finish().ok());
  ASSERT_EQ(answers.size(), size_t{kItems});
  std::set<std::string> ids;
  for (const auto& [sequence, answer] : answers) {
    ASSERT_TRUE(answer.has_response()) << ToText(StatusOf(answer));
    EXPECT_EQ(answer.response().delivery_count(), 1);
    EXPECT_TRUE(answer.response().has_create_time());
    ids.insert(answer.response().event_id());
  }
  EXPECT_EQ(ids.size(), size_t{kItems});
  EXPECT_EQ(GetEvent(answers.at(1000 - 7).response().event_id()).data_json(), R"({"n":7})");
  for (const ReceivedRequest& request : receiver_.WaitForRequests(kItems)) {
    ids.erase(request.WebhookId());
  }
  EXPECT_TRUE(ids.empty());
}

TEST_F(StreamPublishTest, AnswersComeWhileTheStreamIsOpen) {
  PublishStreamCall stream(server().grpc_address());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream.Send(i, Event()));
    const auto answer = stream.Read();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->sequence(), i);
    EXPECT_TRUE(answer->has_response());
  }
  stream.EndSending();
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(StreamPublishTest, ABadItemGetsItsOwnStatusAndTheStreamLives) {
  PublishStreamCall stream(server().grpc_address());
  v1::PublishRequest bad = Event("Not A Type", "[1]");
  bad.set_idempotency_key("\x01");
  ASSERT_TRUE(stream.Send(1, EventWithKey("used", 1)));
  ASSERT_TRUE(stream.Send(2, bad));
  ASSERT_TRUE(stream.SendBytes(""));  // Sequence 0, and no request.
  ASSERT_TRUE(stream.Read().has_value());
  ASSERT_TRUE(stream.Read().has_value());
  ASSERT_TRUE(stream.Read().has_value());
  ASSERT_TRUE(stream.Send(3, EventWithKey("used", 2)));
  ASSERT_TRUE(stream.Send(4, EventWithKey("used", 1)));
  v1::PublishRequest dry = EventWithKey("used", 1);
  dry.set_validate_only(true);
  ASSERT_TRUE(stream.Send(5, dry));
  stream.EndSending();
  const auto answers = BySequence(stream.ReadAll());
  EXPECT_TRUE(stream.Finish().ok());
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_REFUSED(StatusOf(answers.at(3)), StatusCode::ALREADY_EXISTS);
  EXPECT_TRUE(answers.at(4).response().duplicate());
  EXPECT_TRUE(answers.at(5).response().duplicate());
  EXPECT_EQ(StoredCount(), "1");

  PublishStreamCall again(server().grpc_address());
  ASSERT_TRUE(again.Send(2, bad));
  ASSERT_TRUE(again.SendBytes(""));
  again.EndSending();
  const auto refused = BySequence(again.ReadAll());
  EXPECT_TRUE(again.Finish().ok());
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_BAD_FIELDS(StatusOf(refused.at(2)), "type", "data_json", "idempotency_key");
  EXPECT_BAD_FIELDS(StatusOf(refused.at(0)), "request");
  EXPECT_EQ(StoredCount(), "1");
}

TEST_F(StreamPublishTest, AnUnparsableMessageEndsTheStreamAfterEveryEarlierItemWasAnswered) {
  for (const std::string& malformed :
       {std::string("\x0a\x05 ab", 5), std::string("\x12\x03\x0a\x01\xff", 5)}) {
    PublishStreamCall stream(server().grpc_address());
    constexpr int kItems = 50;
    for (int i = 0; i < kItems; ++i) ASSERT_TRUE(stream.Send(i, Event()));
    stream.SendBytes(malformed);
    stream.Send(kItems, Event());  // Too late, whether or not it can still be sent.
    const auto answers = BySequence(stream.ReadAll());
    EXPECT_REFUSED(stream.Finish(), StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(answers.size(), size_t{kItems});
    for (const auto& [sequence, answer] : answers) EXPECT_TRUE(answer.has_response()) << sequence;
  }
  EXPECT_EQ(StoredCount(), "100");
}

TEST_F(StreamPublishTest, ACallerThatReadsNoAnswersIsNotReadFromForEver) {
  constexpr int kItems = 8000;
  PublishStreamCall stream(server().grpc_address());
  std::thread sender([&] {
    for (int i = 0; i < kItems; ++i) {
      if (!stream.Send(i, Event("message.received",
                                absl::StrCat("{\"x\":\"", std::string(500, 'x'), "\"}")))) {
        break;
      }
    }
    stream.EndSending();
  });
  // Once nothing is stored any more, the rest waits at the caller.
  std::string stored = "0";
  EXPECT_TRUE(WaitUntil([&] {
    const std::string before = std::exchange(stored, StoredCount());
    LetChangeHold();
    return before == stored && stored != "0";
  }));
  EXPECT_LT(std::stoi(stored), kItems);
  const auto answers = BySequence(stream.ReadAll());
  sender.join();
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(answers.size(), size_t{kItems});
  for (const auto& [sequence, answer] : answers) {
    EXPECT_TRUE(answer.has_response()) << ToText(StatusOf(answer));
  }
}

TEST_F(StreamPublishTest, ACallerThatGoesAwayTakesNothingAccountedForWithIt) {
  CreateAt(receiver_.Url());
  {
    PublishStreamCall stream(server().grpc_address());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(stream.Send(i, Event()));
    ASSERT_TRUE(stream.Read().has_value());
  }
  // Accepted means delivered, whoever still listens.
  EXPECT_TRUE(WaitUntil([&] {
    return receiver_.Requests().size() >= 1 &&
           std::to_string(receiver_.Requests().size()) == StoredCount();
  }));
  Publish(Event());  // The server lives.
}

class StreamDrainTest : public OwnServersTest {};

TEST_F(StreamDrainTest, ADrainEndsTheStreamUnavailableAfterEveryItemWasAnswered) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  PublishStreamCall stream(server->grpc_address());
  PublishStreamCall idle(server->grpc_address());
  ASSERT_TRUE(idle.Send(1, caller.Event()));
  ASSERT_TRUE(idle.Read().has_value());
  std::thread sender([&] {
    for (int i = 0; stream.Send(i, caller.Event()); ++i) {
    }
  });
  std::vector<v1::StreamPublishResponse> answers;
  for (int i = 0; i < 100; ++i) {
    const auto answer = stream.Read();
    ASSERT_TRUE(answer.has_value());
    answers.push_back(*answer);
  }
  server->program().Signal(SIGTERM);
  for (const v1::StreamPublishResponse& answer : stream.ReadAll()) answers.push_back(answer);
  EXPECT_REFUSED(stream.Finish(), StatusCode::UNAVAILABLE);
  sender.join();
  EXPECT_FALSE(idle.Read().has_value());
  EXPECT_REFUSED(idle.Finish(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(server->program().WaitForExit(absl::Seconds(30)), 0);

  // What was accepted was answered, and the other way round.
  std::set<std::string> answered;
  for (const v1::StreamPublishResponse& answer : answers) {
    if (answer.has_response()) answered.insert(answer.response().event_id());
  }
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"), std::to_string(answered.size() + 1));
}

}  // namespace
}  // namespace postrider::testing
