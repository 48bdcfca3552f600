// Whole nodes without gRPC, with all their threads at work at once. What goes wrong between threads
// shows in the books here, and to ThreadSanitizer.

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/security/endpoint_seal.h"
#include "server/signing/secret.h"
#include "tests/engine/node.h"
#include "tests/storage/postgres/store_test_base.h"
#include "tests/support/receiver.h"

namespace postrider {
namespace {

constexpr int kPublishers = 3;
constexpr int kEventsOfEach = 40;
constexpr int kEvents = kPublishers * kEventsOfEach;

class ThreadsTest : public StoreTest {
 protected:
  std::unique_ptr<Node> StartNode(const std::string& id) {
    absl::StatusOr<std::unique_ptr<Node>> node = Node::Start(Options(SessionKind::kHot), id, keys_);
    EXPECT_TRUE(node.ok()) << node.status();
    if (!node.ok()) return nullptr;
    EXPECT_TRUE(testing::WaitUntil([&] { return (*node)->load().joined; }));
    return *std::move(node);
  }

  EndpointId EndpointAt(const std::string& url) {
    Endpoint endpoint;
    endpoint.id = NewId<EndpointId>();
    endpoint.tenant = tenant_;
    endpoint.config.url = url;
    const std::string id = endpoint.id.ToText();
    const auto sealed =
        keys_.Seal(signing::GenerateHmacSecret(),
                   security::AssociatedData(security::SecretContext(tenant_, id, 1)));
    EXPECT_TRUE(sealed.ok()) << sealed.status();
    EndpointSecret secret;
    secret.version = 1;
    secret.sealed = {sealed->key_id, sealed->nonce, sealed->bytes};
    EXPECT_TRUE(endpoints_.Create(endpoint, secret, {}, 1000).ok());
    return endpoint.id;
  }

  // Publishes kEvents, each publisher an event at a time, every other one to the next node. An
  // answer that leaves the outcome open is asked again under the same key.
  void Publish(const std::vector<Node*>& nodes) {
    std::vector<std::vector<NewEvent>> events(kPublishers);
    for (int p = 0; p < kPublishers; ++p) {
      for (int i = 0; i < kEventsOfEach; ++i) {
        events[p].push_back(MakeEvent("t", absl::StrCat(p, "-", i)));
      }
    }
    std::vector<std::thread> publishers;
    for (int p = 0; p < kPublishers; ++p) {
      publishers.emplace_back([&, p] {
        for (int i = 0; i < kEventsOfEach; ++i) {
          if (p == 0 && i == kEventsOfEach / 2 && meanwhile_) meanwhile_();
          Node& node = *nodes[i % nodes.size()];
          const testing::Deadline deadline(testing::kPatience);
          while (!node.Publish({events[p][i]}).ok() && !deadline.Passed()) {
          }
          acknowledged_ += deadline.Passed() ? 0 : 1;
        }
      });
    }
    for (std::thread& publisher : publishers) publisher.join();
    EXPECT_EQ(acknowledged_, kEvents);
  }

  void ExpectAllSucceeded(int deliveries) {
    EXPECT_TRUE(
        testing::WaitUntil([&] { return Value("SELECT count(*) FROM open_deliveries") == "0"; }));
    EXPECT_EQ(Value("SELECT count(*) FROM closed_deliveries WHERE state = 3"),
              absl::StrCat(deliveries));
  }

  const security::KeyRing keys_ = *security::KeyRing::Create(
      *security::MasterKey::Parse(security::GenerateMasterKeyText(security::RandomBytes)), {});
  std::function<void()> meanwhile_;  // done by one of the publishers in the middle
  std::atomic<int> acknowledged_{0};
};

TEST_F(ThreadsTest, EveryEventReachesEveryReceiverFromTwoNodes) {
  testing::Receiver good;
  testing::Receiver failing_at_first;
  failing_at_first.AnswerInTurn({{.status = 500}, {.status = 503}, {.status = 200}});
  EndpointAt(good.Url());
  const EndpointId other = EndpointAt(failing_at_first.Url());
  const std::unique_ptr<Node> one = StartNode("one");
  const std::unique_ptr<Node> two = StartNode("two");
  ASSERT_TRUE(one != nullptr && two != nullptr);
  meanwhile_ = [&] {
    EXPECT_TRUE(endpoints_.Disable(other).ok());
    EXPECT_TRUE(endpoints_.Enable(other, /*discard_pending=*/false).ok());
  };
  Publish({one.get(), two.get()});
  // An endpoint that is disabled is passed over by what is published meanwhile.
  EXPECT_TRUE(good.WaitFor([](const std::vector<testing::ReceivedRequest>& requests) {
    std::set<std::string> events;
    for (const testing::ReceivedRequest& request : requests) events.insert(request.WebhookId());
    return events.size() == kEvents;
  }));
}

TEST_F(ThreadsTest, NothingIsLostWhenConnectionsToTheDatabaseBreakInTheMiddle) {
  testing::Receiver receiver;
  EndpointAt(receiver.Url());
  const std::unique_ptr<Node> node = StartNode("one");
  ASSERT_NE(node, nullptr);
  meanwhile_ = [&] {
    Execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  };
  Publish({node.get()});
  ExpectAllSucceeded(kEvents);
}

TEST_F(ThreadsTest, AStopInTheMiddleHandsBackWhatIsNotSent) {
  testing::Receiver receiver;
  receiver.AlwaysAnswer({.delay = absl::Milliseconds(5)});
  EndpointAt(receiver.Url());
  std::unique_ptr<Node> leaving = StartNode("leaving");
  const std::unique_ptr<Node> staying = StartNode("staying");
  ASSERT_TRUE(leaving != nullptr && staying != nullptr);
  Publish({leaving.get()});
  leaving.reset();
  ExpectAllSucceeded(kEvents);
}

}  // namespace
}  // namespace postrider
