// SEMANTICS, "The log": what is kept, and for how long.

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

class RetentionTest : public OwnServersTest {
 protected:
  // A server whose database holds one delivery that waits for its retry; then ended.
  void MakeHistory() {
    ServerProcess* const server = StartServer();
    ASSERT_NE(server, nullptr);
    receiver_.AlwaysAnswer(Answer{.status = 500});
    Caller caller(server->api());
    v1::Endpoint endpoint = caller.EndpointAt(receiver_.Url());
    *endpoint.add_retry_schedule() = ToProto(absl::Hours(24));
    caller.Create(endpoint);
    event_ = caller.PublishEvent();
    delivery_ = caller.DeliveryOf(event_).id();
    caller.WaitForAttempts(delivery_, 1);
    EXPECT_EQ(server->Terminate(), 0);
  }

  // Makes everything stored so far, and the day of its tables, so much older. Ids are times.
  void Age(int days) {
    const std::string ago = absl::StrCat("interval '", days, " days'");
    database().Query(absl::StrCat("SELECT make_day((now() AT TIME ZONE 'UTC' - ", ago, ")::date)"));
    for (const auto& [table, columns] :
         std::vector<std::pair<std::string, std::vector<std::string>>>{
             {"events", {"event_id"}},
             {"open_deliveries", {"delivery_id", "event_id"}},
             {"attempts", {"attempt_id", "delivery_id", "event_id"}}}) {
      std::string assignments;
      for (const std::string& column : columns) {
        // The first 12 digits of an id are its milliseconds; the rest stays.
        absl::StrAppend(&assignments, assignments.empty() ? "" : ", ", column,
                        " = (substr(ulid_floor(now() - ", ago, ")::text, 1, 13) || substr(", column,
                        "::text, 14))::uuid");
      }
      database().Query(absl::StrCat("UPDATE ", table, " SET ", assignments));
    }
    day_ = database().Value(
        absl::StrCat("SELECT to_char((now() AT TIME ZONE 'UTC' - ", ago, ")::date, 'YYYYMMDD')"));
  }

  bool DayExists() {
    return database().Value(absl::StrCat("SELECT to_regclass('attempts_", day_,
                                         "') IS NOT NULL OR to_regclass('events_", day_,
                                         "') IS NOT NULL")) == "t";
  }

  std::string event_;
  std::string delivery_;
  std::string day_;
};

TEST_F(RetentionTest, DaysOlderThan30AreDroppedWithTheirPartitionsAndWhatWasOpenIsEnded) {
  MakeHistory();
  Age(33);
  ASSERT_TRUE(DayExists());
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(WaitUntil([&] { return !DayExists(); }));
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"), "0");
  EXPECT_EQ(database().Value("SELECT count(*) FROM attempts"), "0");
  EXPECT_EQ(database().Value("SELECT count(*) FROM open_deliveries"), "0");
  EXPECT_TRUE(receiver_.StaysAt(1));
}

TEST_F(RetentionTest, DaysWithin30AreKeptAndWhatIsOpenStaysOpen) {
  MakeHistory();
  Age(28);
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  // The day's tables would be gone within this time, as they are in the test above.
  EXPECT_FALSE(WaitUntil([&] { return !DayExists(); }, absl::Seconds(2)));
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"), "1");
  EXPECT_EQ(database().Value("SELECT count(*) FROM open_deliveries"), "1");
}

TEST_F(RetentionTest, PartitionsAreMadeAhead) {
  ASSERT_NE(StartServer(), nullptr);
  for (const char* table : {"events", "attempts", "closed_deliveries", "idempotency_keys"}) {
    for (int days = 0; days <= 2; ++days) {
      EXPECT_EQ(database().Value(absl::StrCat("SELECT to_regclass('", table,
                                              "_' || to_char((now() AT TIME ZONE 'UTC')::date"
                                              " + ",
                                              days, ", 'YYYYMMDD')) IS NOT NULL")),
                "t")
          << table << " in " << days << " days";
    }
  }
}

TEST_F(RetentionTest, ADeliveryWhosePayloadOutlivedItsRetentionEndsAsExpired) {
  ServerProcess* const server = StartServer({"--retry-schedule", "2s"});
  ASSERT_NE(server, nullptr);
  receiver_.AlwaysAnswer(Answer{.status = 500});
  Caller caller(server->api());
  caller.CreateAt(receiver_.Url());
  const std::string event = caller.PublishEvent();
  const std::string delivery = caller.DeliveryOf(event).id();
  caller.WaitForAttempts(delivery, 1);
  database().Query("UPDATE events SET body = NULL");
  const v1::Delivery ended = caller.WaitForState(delivery, v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(ended.state_reason(), v1::DELIVERY_STATE_REASON_EXPIRED);
  EXPECT_EQ(ended.attempt_count(), 1);
  EXPECT_TRUE(receiver_.StaysAt(1));
  EXPECT_EQ(caller.GetEvent(event).data_json(), "");
}

}  // namespace
}  // namespace postrider::testing
