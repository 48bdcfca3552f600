// Who has no credential where one is needed: what they can make the server hold, and what health
// and reflection, which ask for none, let them do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "grpc/health/v1/health.pb.h"
#include "tests/integration/callers/http2_connection.h"
#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/health.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

using ::grpc::health::v1::HealthCheckResponse;
using ::testing::ElementsAre;

constexpr char kPublish[] = "/postrider.v1.PublisherService/Publish";
constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "grpc.health.v1.Health/Watch";
// server/rpc/door.h: those of whom the gate hears.
constexpr size_t kMostStrangers = 16;
constexpr size_t kCalls = 200;

class StrangersTest : public OwnServersTest {
 protected:
  // So many calls whose message does not come.
  static void Open(Http2Connection& connection, const char* method, size_t calls = kCalls) {
    connection.TakeSettings();
    for (size_t i = 0; i < calls; ++i) {
      ASSERT_TRUE(connection.OpenStream(static_cast<int>(2 * i + 1), method));
    }
  }
  static std::string ReasonFor(ServerProcess* server) {
    const grpc::Status status = TryKey(server->api(), "");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    return DetailsOf(status).info.reason();
  }
};

TEST_F(StrangersTest, FewOfTheirMessagesAreWaitedFor) {
  ServerProcess* server = StartServer({"--require-auth"});
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(ReasonFor(server), "UNAUTHENTICATED");
  {
    Http2Connection connection(server->grpc_address());
    Open(connection, kPublish);
    EXPECT_EQ(connection.AwaitEnded(kCalls - kMostStrangers, absl::Seconds(10)),
              kCalls - kMostStrangers);
    // The code alone, as long as these are under way.
    EXPECT_EQ(ReasonFor(server), "");
    EXPECT_EQ(connection.AwaitEnded(kCalls, absl::Milliseconds(300)), kCalls - kMostStrangers);
  }
  EXPECT_TRUE(WaitUntil([&] { return ReasonFor(server) == "UNAUTHENTICATED"; }));
}

TEST_F(StrangersTest, OneWhoWasAStrangerIsNoneWithACredentialOnTheSameConnection) {
  const std::string file = ScratchFolder::NewFile("bootstrap-key");
  ServerProcess* server = StartServer({"--require-auth", "--bootstrap-key", file});
  ASSERT_NE(server, nullptr);
  std::string key;
  ASSERT_TRUE(std::ifstream(file) >> key);
  EXPECT_EQ(ReasonFor(server), "UNAUTHENTICATED");
  // None of these makes room for a stranger: none took any.
  for (size_t i = 0; i < 2 * kMostStrangers; ++i) ASSERT_TRUE(TryKey(server->api(), key).ok());
  Http2Connection connection(server->grpc_address());
  Open(connection, kPublish);
  EXPECT_EQ(connection.AwaitEnded(kCalls - kMostStrangers, absl::Seconds(10)),
            kCalls - kMostStrangers);
}

TEST_F(StrangersTest, WhoIsTrustedIsWaitedFor) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  Http2Connection connection(server->grpc_address());
  Open(connection, kPublish);
  EXPECT_EQ(connection.AwaitEnded(1, absl::Milliseconds(500)), 0);
}

TEST_F(StrangersTest, AQuestionAboutHealthMustBeThereWithinASecond) {
  ServerProcess* server = StartServer({"--require-auth"});
  ASSERT_NE(server, nullptr);
  Http2Connection connection(server->grpc_address());
  Open(connection, kCheck);
  EXPECT_EQ(HealthOf(server->api()), Health::kServing);
  EXPECT_EQ(connection.AwaitEnded(kCalls, absl::Seconds(10)), kCalls);
  EXPECT_EQ(HealthOf(server->api()), Health::kServing);
}

TEST_F(StrangersTest, AQuestionAboutHealthIsShort) {
  ServerProcess* server = StartServer({"--require-auth"});
  ASSERT_NE(server, nullptr);
  const auto ask = [&](size_t bytes) {
    // Field 15, which nobody knows.
    std::string question;
    while (question.size() < bytes) question += "\x78\x01";
    return server->api().CallRaw("grpc.health.v1.Health/Check", question).status.error_code();
  };
  EXPECT_EQ(ask(4096), grpc::StatusCode::OK);
  EXPECT_EQ(ask(4098), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ask(15 << 20), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(StrangersTest, AThousandMayWatchHealth) {
  ServerProcess* server = StartServer({"--require-auth"});
  ASSERT_NE(server, nullptr);
  Http2Connection connection(server->grpc_address());
  connection.TakeSettings();
  constexpr int kMost = 1000;  // server/rpc/health_service.cc
  for (int i = 0; i < kMost + 5; ++i) {
    ASSERT_TRUE(connection.OpenStream(2 * i + 1, "/grpc.health.v1.Health/Watch"));
    ASSERT_TRUE(connection.SendEmptyAndEnd(2 * i + 1));
  }
  EXPECT_EQ(connection.AwaitEnded(6, absl::Seconds(3)), 5u);
}

TEST_F(StrangersTest, WhoWatchesHealthHearsOfTheDrainAndOfTheEnd) {
  ServerProcess* server = StartServer({"--require-auth"});
  ASSERT_NE(server, nullptr);
  std::atomic<int> answers = 0;
  const auto count = [&answers] { ++answers; };
  Reply<std::vector<std::string>> heard;
  std::thread watch([&] { heard = server->api().StreamRaw(kWatch, "", {}, count); });
  // Another one, of a service that nobody knows.
  Reply<std::vector<std::string>> unknown;
  std::thread other([&] {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service("no.such.Service");
    unknown = server->api().StreamRaw(kWatch, request.SerializeAsString(), {}, count);
  });
  EXPECT_TRUE(WaitUntil([&] { return answers == 2; }));
  EXPECT_EQ(server->Terminate(), 0);
  watch.join();
  other.join();
  const auto statuses = [](const Reply<std::vector<std::string>>& reply) {
    std::vector<int> found;
    for (const std::string& bytes : reply.value) {
      HealthCheckResponse response;
      EXPECT_TRUE(response.ParseFromString(bytes));
      found.push_back(response.status());
    }
    return found;
  };
  EXPECT_THAT(statuses(heard),
              ElementsAre(HealthCheckResponse::SERVING, HealthCheckResponse::NOT_SERVING));
  EXPECT_EQ(heard.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(statuses(unknown), ElementsAre(HealthCheckResponse::SERVICE_UNKNOWN));
}

}  // namespace
}  // namespace postrider::testing
