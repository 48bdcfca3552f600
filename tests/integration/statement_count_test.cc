// On the happy path no statement is about one delivery: events are accepted in batches, dispatched
// from memory and recorded in batches.

#include <algorithm>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

class StatementCountTest : public OwnServersTest {};

TEST_F(StatementCountTest, AThousandDeliveriesTakeAFewStatements) {
  constexpr int kDeliveries = 1000;
  constexpr int kBatch = 100;
  // What the loops ask in the meantime is a few a second; one a delivery would be twice as much.
  constexpr int kMostStatements = kDeliveries / 2;
  database().Query("CREATE EXTENSION pg_stat_statements");
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  for (int i = 0; i < 10; ++i) caller.CreateAt(receiver_.Url());
  // The endpoints are known to the server afterwards.
  caller.Publish();
  receiver_.WaitForRequests(10);
  ASSERT_TRUE(WaitUntil(
      [&] { return database().Value("SELECT count(*) FROM closed_deliveries") == "10"; }));

  database().Query("SELECT pg_stat_statements_reset()");
  for (int sent = 0; sent < kDeliveries / 10; sent += kBatch / 10) {
    v1::BatchPublishRequest batch;
    for (int i = 0; i < kBatch / 10; ++i) *batch.add_requests() = caller.Event();
    ASSERT_TRUE(server->api().BatchPublish(batch).ok());
  }
  ASSERT_EQ(receiver_.WaitForRequests(10 + kDeliveries).size(), size_t{10 + kDeliveries});
  ASSERT_TRUE(WaitUntil([&] {
    return database().Value("SELECT count(*) AS looked FROM closed_deliveries") ==
           std::to_string(10 + kDeliveries);
  }));
  std::string all;
  int sum = 0;
  int most = 0;  // calls of one statement
  for (const std::vector<std::string>& row : database().Query(
           "SELECT calls, left(query, 80) FROM pg_stat_statements "
           "WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) "
           "AND query NOT LIKE '%AS looked%' AND query NOT LIKE '%pg_stat_statements%' "
           "ORDER BY calls DESC")) {
    sum += std::atoi(row[0].c_str());
    most = std::max(most, std::atoi(row[0].c_str()));
    absl::StrAppend(&all, row[0], "  ", row[1], "\n");
  }
  EXPECT_GT(sum, 0);
  EXPECT_LT(sum, kMostStatements) << all;
  EXPECT_LT(most, kDeliveries / 10) << "one an event\n" << all;
  RecordProperty("statements", sum);
}

}  // namespace
}  // namespace postrider::testing
