#include "server/http/start_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace postrider::http {
namespace {

Request Make(uint64_t id, const std::string& host) {
  Request request;
  request.id = id;
  request.url = *CheckUrl("https://" + host + "/", DestinationPolicy());
  return request;
}

// Starts all that may start; their ids.
std::vector<uint64_t> StartAll(StartQueue& queue) {
  std::vector<uint64_t> ids;
  while (std::optional<Request> request = queue.Next()) ids.push_back(request->id);
  return ids;
}

using Ids = std::vector<uint64_t>;

TEST(StartQueueTest, StartsInOrderUpToTheLimitOfTheOrigin) {
  StartQueue queue(100, 2);
  for (uint64_t id = 1; id <= 4; ++id) queue.Add(Make(id, "a.test"));
  EXPECT_EQ(StartAll(queue), (Ids{1, 2}));
  queue.Done("a.test:443");
  EXPECT_EQ(StartAll(queue), (Ids{3}));
  queue.Done("a.test:443");
  queue.Done("a.test:443");
  EXPECT_EQ(StartAll(queue), (Ids{4}));
}

TEST(StartQueueTest, StartsUpToTheTotal) {
  StartQueue queue(3, 3);
  queue.Add(Make(1, "a.test"));
  queue.Add(Make(2, "b.test"));
  queue.Add(Make(3, "c.test"));
  queue.Add(Make(4, "d.test"));
  EXPECT_EQ(StartAll(queue), (Ids{1, 2, 3}));
  EXPECT_FALSE(queue.HasNext());
  queue.Done("b.test:443");
  EXPECT_TRUE(queue.HasNext());
  EXPECT_EQ(StartAll(queue), (Ids{4}));
}

TEST(StartQueueTest, OriginsTakeTurns) {
  StartQueue queue(100, 10);
  for (uint64_t id = 1; id <= 3; ++id) queue.Add(Make(id, "a.test"));
  for (uint64_t id = 4; id <= 5; ++id) queue.Add(Make(id, "b.test"));
  EXPECT_EQ(StartAll(queue), (Ids{1, 4, 2, 5, 3}));
}

TEST(StartQueueTest, AFullOriginHoldsUpNobodyElse) {
  StartQueue queue(100, 1);
  for (uint64_t id = 1; id <= 3; ++id) queue.Add(Make(id, "a.test"));
  queue.Add(Make(4, "b.test"));
  EXPECT_EQ(StartAll(queue), (Ids{1, 4}));
}

TEST(StartQueueTest, OneSetAsideKeepsItsOriginsPlaceButNotTheTotals) {
  StartQueue queue(1, 1);
  queue.Add(Make(1, "a.test"));
  queue.Add(Make(2, "a.test"));
  queue.Add(Make(3, "b.test"));
  std::optional<Request> first = queue.Next();
  queue.SetAside();
  EXPECT_EQ(StartAll(queue), (Ids{3}));
  queue.Done("b.test:443");
  EXPECT_FALSE(queue.HasNext());
  queue.Return(*std::move(first));
  EXPECT_EQ(StartAll(queue), (Ids{1}));
  queue.Done("a.test:443");
  EXPECT_EQ(StartAll(queue), (Ids{2}));
}

TEST(StartQueueTest, OneDroppedMakesRoom) {
  StartQueue queue(1, 1);
  queue.Add(Make(1, "a.test"));
  queue.Add(Make(2, "a.test"));
  queue.Next();
  queue.SetAside();
  queue.Drop("a.test:443");
  EXPECT_EQ(StartAll(queue), (Ids{2}));
  EXPECT_EQ(queue.running(), 1);
}

TEST(StartQueueTest, RequestsThatHadToStartAreGivenBack) {
  const Instant now = absl::Seconds(100);
  const auto make = [now](uint64_t id, const std::string& host, int seconds) {
    Request request = Make(id, host);
    request.start_by = now + absl::Seconds(seconds);
    return request;
  };
  StartQueue queue(1, 1);
  queue.Add(Make(1, "a.test"));
  queue.Next();
  queue.Add(make(2, "a.test", 1));
  queue.Add(make(3, "a.test", 2));
  queue.Add(make(4, "b.test", 1));
  queue.Add(Make(5, "c.test"));
  EXPECT_TRUE(queue.TakeExpired(now).empty());
  EXPECT_EQ(queue.TakeExpired(now + absl::Seconds(1)).size(), 2u);
  EXPECT_TRUE(queue.HasWaiting());
  queue.Done("a.test:443");
  EXPECT_EQ(StartAll(queue), (Ids{5}));
  queue.Done("c.test:443");
  EXPECT_EQ(StartAll(queue), (Ids{3}));
  queue.Done("a.test:443");
  EXPECT_FALSE(queue.HasWaiting());
  queue.Add(Make(6, "b.test"));
  EXPECT_EQ(StartAll(queue), (Ids{6}));
}

TEST(StartQueueTest, TakeAllLeavesWhatRuns) {
  StartQueue queue(2, 1);
  for (uint64_t id = 1; id <= 4; ++id) queue.Add(Make(id, id % 2 ? "a.test" : "b.test"));
  EXPECT_EQ(StartAll(queue), (Ids{1, 2}));
  EXPECT_EQ(queue.TakeAll().size(), 2u);
  queue.Done("a.test:443");
  queue.Done("b.test:443");
  EXPECT_FALSE(queue.HasNext());
  EXPECT_EQ(queue.running(), 0);
}

}  // namespace
}  // namespace postrider::http
