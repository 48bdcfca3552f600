// Finding a PostgreSQL among several hosts (storage/postgres/connect.h).

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/store_test_base.h"
#include "tests/support/silent_host.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ConnectTest : public StoreTest {
 protected:
  const std::string conninfo_ = Options(SessionKind::kGeneral).conninfo;

  // `keyword` of the test database's conninfo, which is in libpq's keyword form.
  std::string Setting(const std::string& keyword) const {
    const size_t at = conninfo_.find(keyword + "=");
    EXPECT_NE(at, std::string::npos) << conninfo_;
    std::string value = conninfo_.substr(at + keyword.size() + 1);
    value = value.substr(0, value.find(' '));
    if (!value.empty() && value.front() == '\'') value = value.substr(1, value.size() - 2);
    return value;
  }
  // The test's own PostgreSQL behind a host that is tried first.
  std::string Behind(const std::string& host, int port) const {
    const std::string own_port =
        conninfo_.find("port=") == std::string::npos ? "5432" : Setting("port");
    return absl::StrCat("host=", host, ",", Setting("host"), " port=", port, ",", own_port,
                        " dbname=", Setting("dbname"), " user=", Setting("user"));
  }
};

TEST_F(ConnectTest, AHostThatSaysNothingIsLeftAfterItsTimeAndNotTriedFirstAgain) {
  const testing::SilentHost silent;
  SessionOptions options = Options(SessionKind::kGeneral);
  options.conninfo = Behind("127.0.0.1", silent.port());
  options.connect_timeout = absl::Seconds(5);
  Session session(options);
  absl::Time begun = absl::Now();
  ASSERT_TRUE(session.Execute("SELECT 1", absl::Seconds(5)).ok());
  EXPECT_GE(absl::Now() - begun, kConnectTimeoutAHost);
  EXPECT_LT(absl::Now() - begun, kConnectTimeoutAHost + absl::Seconds(2));
  session.Close();
  begun = absl::Now();
  ASSERT_TRUE(session.Execute("SELECT 1", absl::Seconds(5)).ok());
  EXPECT_LT(absl::Now() - begun, kConnectTimeoutAHost);
}

TEST(TcpHostsTest, EveryHostOfAConninfoIsNamedConnectedToOrNot) {
  for (const char* name : {"PGHOST", "PGHOSTADDR", "PGPORT"}) unsetenv(name);
  EXPECT_THAT(TcpHostsOf("postgresql://u@one,two:6432,[2001:db8::1]:7432/x"),
              ElementsAre("one:5432", "two:6432", "[2001:db8::1]:7432"));
  EXPECT_THAT(TcpHostsOf("host=one,two port=6432"), ElementsAre("one:6432", "two:6432"));
  EXPECT_THAT(TcpHostsOf("host=one,two hostaddr=192.0.2.1, port=1,2"),
              ElementsAre("192.0.2.1:1", "two:2"));
  EXPECT_THAT(TcpHostsOf("hostaddr=192.0.2.1,192.0.2.2"),
              ElementsAre("192.0.2.1:5432", "192.0.2.2:5432"));
  EXPECT_THAT(TcpHostsOf("host=/run/postgresql,standby,@abstract"), ElementsAre("standby:5432"));
  for (const char* none : {"", "dbname=x", "host=/run/postgresql", "no such keyword=1"}) {
    EXPECT_THAT(TcpHostsOf(none), IsEmpty()) << none;
  }
  setenv("PGHOST", "primary,standby", 1);
  setenv("PGPORT", "1111", 1);
  EXPECT_THAT(TcpHostsOf("dbname=x"), ElementsAre("primary:1111", "standby:1111"));
  EXPECT_THAT(TcpHostsOf("host=one"), ElementsAre("one:1111"));
  for (const char* name : {"PGHOST", "PGPORT"}) unsetenv(name);
}

TEST(ConnectorTest, WhatIsWrongWithAConninfoIsSaidWithoutItsPassword) {
  for (const char* wrong :
       {"postgres://u:hunter2%zz@127.0.0.1/x", "postgres://u:hunter2@[::1/x",
        "host=127.0.0.1 password=my hunter2", "password='hunter2", "hunter2=1"}) {
    Connector connector(wrong, "test");
    const absl::StatusOr<pg_conn*> connected = connector.Connect(absl::Seconds(5));
    EXPECT_TRUE(absl::IsUnavailable(connected.status())) << connected.status();
    EXPECT_THAT(std::string(connected.status().message()), HasSubstr("cannot be read"));
    EXPECT_THAT(std::string(connected.status().message()), Not(HasSubstr("hunter2")));
  }
}

TEST_F(ConnectTest, AHostThatRefusesIsPassedOverAtOnce) {
  int port = 0;
  {
    const testing::SilentHost gone;
    port = gone.port();
  }
  SessionOptions options = Options(SessionKind::kGeneral);
  options.conninfo = Behind("127.0.0.1", port);
  Session session(options);
  EXPECT_TRUE(session.Execute("SELECT 1", absl::Seconds(5)).ok());
}

TEST_F(ConnectTest, AServerThatCannotBeWrittenToIsNoServer) {
  Execute(absl::StrCat("ALTER DATABASE ", Setting("dbname"),
                       " SET default_transaction_read_only = on"));
  Session session(Options(SessionKind::kGeneral));
  const absl::Status status = session.Execute("SELECT 1", absl::Seconds(5));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("read-only"));
  // Unless the conninfo says that anyone will do.
  SessionOptions any = Options(SessionKind::kGeneral);
  absl::StrAppend(&any.conninfo, " target_session_attrs=any");
  Session reader(any);
  EXPECT_TRUE(reader.Execute("SELECT 1", absl::Seconds(5)).ok());
}

TEST_F(ConnectTest, WhenNoHostCanBeUsedTheLastReasonIsGiven) {
  SessionOptions options;
  options.conninfo = "host=127.0.0.1,127.0.0.1 port=1,1 dbname=x user=x";
  Session session(options);
  const absl::Status status = session.Execute("SELECT 1", absl::Seconds(5));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("none of the 2 hosts"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("refused"));
}

}  // namespace
}  // namespace postrider
