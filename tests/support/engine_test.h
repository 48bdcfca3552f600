#ifndef POSTRIDER_TESTS_SUPPORT_ENGINE_TEST_H_
#define POSTRIDER_TESTS_SUPPORT_ENGINE_TEST_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/caller.h"
#include "tests/support/receiver.h"
#include "tests/support/server_process.h"
#include "tests/support/test_database.h"

namespace postrider::testing {

// The schedule of the shared server: retries after one second and after one more.
inline constexpr char kSharedSchedule[] = "1s,1s";

// The fixture for tests that need a server with usual settings: all tests of a program share one,
// and one database, and each test is an org of its own with a receiver of its own. The server must
// end well after the last test.
class EngineTest : public ::testing::Test, protected Caller {
 protected:
  EngineTest();

  // Deletes the endpoints of the test, so that nothing of it goes on.
  void TearDown() override;

  static ServerProcess& server();
  static TestDatabase& database();

  // The caller's methods, for expressions in which their names alone would be ambiguous.
  Caller& caller() { return *this; }

  Receiver receiver_;
};

// The fixture for tests that start their own servers, on a database of the test's own.
class OwnServersTest : public ::testing::Test {
 protected:
  OwnServersTest();
  void TearDown() override;

  // Starts one more server on the database; a failure of the test, and null, if that fails.
  ServerProcess* StartServer(std::vector<std::string> flags = {});
  ServerProcess* StartServerWith(ServerProcess::Options options);

  TestDatabase& database() { return *database_; }

  const std::unique_ptr<TestDatabase> database_;
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  Receiver receiver_;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_ENGINE_TEST_H_
