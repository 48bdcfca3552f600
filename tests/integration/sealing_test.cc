// What is sealed at rest opens in its own place alone: rows that somebody swapped in the database
// sign nothing and send nothing.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

// SQL for the id of the endpoint whose URL has the path.
std::string EndpointAtPath(const std::string& path) {
  return absl::StrCat("(SELECT endpoint_id FROM endpoints WHERE url LIKE '%", path, "')");
}

class SealingTest : public OwnServersTest {
 protected:
  void SetUp() override {
    ServerProcess* const server = StartServer();
    ASSERT_NE(server, nullptr);
    Caller caller(server->api(), "org_1", "env_1");
    Caller stranger(server->api(), "org_2", "env_1");
    for (const char* path : {"/0", "/1", "/2", "/3", "/4"}) {
      v1::Endpoint endpoint = caller.EndpointAt(receiver_.Url(path));
      (*endpoint.mutable_headers())["authorization"] = absl::StrCat("Bearer of ", path);
      const std::string id = caller.Create(endpoint).id();
      if (std::string(path) == "/2") caller.Rotate(id);
    }
    stranger.PublishEvent();  // makes its environment
    EXPECT_EQ(server->Terminate(), 0);
  }

  // Starts a server on what the database holds by now, publishes, and gives the paths that were
  // sent to, once everything that can be sent has been.
  std::vector<std::string> PathsSentTo(size_t expected) {
    const size_t before = receiver_.Requests().size();
    ServerProcess* const server = StartServer();
    EXPECT_NE(server, nullptr);
    if (server == nullptr) return {};
    Caller(server->api(), "org_1", "env_1").PublishEvent();
    receiver_.WaitForRequests(before + expected);
    EXPECT_TRUE(receiver_.StaysAt(before + expected));
    log_ = server->Log();
    EXPECT_EQ(server->Terminate(), 0);
    std::vector<std::string> paths;
    const std::vector<ReceivedRequest> requests = receiver_.Requests();
    for (size_t i = before; i < requests.size(); ++i) paths.push_back(requests[i].target);
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  // Between the endpoints of the paths /0 and /1.
  void Swap(const std::string& table, const std::string& columns) {
    const std::string a = EndpointAtPath("/0");
    const std::string b = EndpointAtPath("/1");
    database().Query(absl::StrCat("UPDATE ", table, " t SET (", columns, ") = (SELECT ", columns,
                                  " FROM ", table, " o WHERE o.endpoint_id = CASE t.endpoint_id ",
                                  "WHEN ", a, " THEN ", b, " ELSE ", a,
                                  " END) WHERE t.endpoint_id IN (", a, ", ", b, ")"));
  }

  std::string log_;
};

TEST_F(SealingTest, SecretsSwappedBetweenEndpointsSignNothing) {
  Swap("endpoint_secrets", "key_id, nonce, sealed");
  EXPECT_EQ(PathsSentTo(3), (std::vector<std::string>{"/2", "/3", "/4"}));
  EXPECT_TRUE(absl::StrContains(log_, "cannot open the secrets of an endpoint")) << log_;
  // Nothing was lost: put back, what waited is sent.
  Swap("endpoint_secrets", "key_id, nonce, sealed");
  EXPECT_EQ(PathsSentTo(7).size(), 7u);
}

TEST_F(SealingTest, SecretsSwappedBetweenVersionsSignNothing) {
  database().Query(
      absl::StrCat("UPDATE endpoint_secrets t SET (nonce, sealed) = (SELECT nonce, "
                   "sealed FROM endpoint_secrets o WHERE o.endpoint_id = "
                   "t.endpoint_id AND o.version = 3 - t.version) "
                   "WHERE endpoint_id = ",
                   EndpointAtPath("/2")));
  EXPECT_EQ(PathsSentTo(4), (std::vector<std::string>{"/0", "/1", "/3", "/4"}));
}

TEST_F(SealingTest, HeadersSwappedBetweenEndpointsAreNotSent) {
  Swap("endpoints", "headers_key_id, headers_nonce, headers_sealed");
  EXPECT_EQ(PathsSentTo(3), (std::vector<std::string>{"/2", "/3", "/4"}));
}

TEST_F(SealingTest, AnEndpointMovedToAnotherOrgSignsNothingThere) {
  database().Query(
      absl::StrCat("UPDATE endpoints SET env_no = (SELECT env_no FROM environments "
                   "WHERE org_id = 'org_2') WHERE endpoint_id = ",
                   EndpointAtPath("/3")));
  EXPECT_EQ(PathsSentTo(4), (std::vector<std::string>{"/0", "/1", "/2", "/4"}));
}

}  // namespace
}  // namespace postrider::testing
