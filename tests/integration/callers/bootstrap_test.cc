// The first key of an installation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string KeyIn(const std::string& path) {
  const std::string content = FileContent(path);
  return content.substr(0, content.find('\n'));
}

class BootstrapTest : public OwnServersTest {
 protected:
  ServerProcess* StartWith(const std::string& file) {
    return StartServer({"--require-auth", "--bootstrap-key", file});
  }
  const std::string file_ = ScratchFolder::NewFile("bootstrap-key");
};

TEST_F(BootstrapTest, TheFirstStartWritesAnAdminKeyThatOnlyItsOwnerReads) {
  ServerProcess* server = StartWith(file_);
  ASSERT_NE(server, nullptr);
  struct stat info {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const std::string key = KeyIn(file_);
  EXPECT_THAT(key, MatchesRegex("prk_[0-9A-HJKMNP-TV-Z]{26}_[0-9a-f]{64}"));
  EXPECT_REFUSED(TryKey(server->api(), ""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(TryKey(server->api(), key).ok());
  // It may make more keys.
  const NewKey made = MakeKey(server->api(), key, KeyFor({v1::SCOPE_READ}));
  EXPECT_TRUE(TryKey(server->api(), made.text).ok());
  EXPECT_THAT(server->Log(), Not(HasSubstr(key.substr(31))));
}

TEST_F(BootstrapTest, LaterStartsAndOtherServersLeaveTheFileAlone) {
  ServerProcess* first = StartWith(file_);
  ASSERT_NE(first, nullptr);
  const std::string key = KeyIn(file_);
  const std::string other_file = ScratchFolder::NewFile("bootstrap-key");
  ServerProcess* second = StartWith(other_file);
  ASSERT_NE(second, nullptr);
  EXPECT_FALSE(std::ifstream(other_file)) << "there was a key already";
  EXPECT_TRUE(TryKey(second->api(), key).ok());
  // Also when every key was revoked: a key that was taken away does not come back.
  const std::string id = "key_" + key.substr(4, 26);
  ASSERT_TRUE(RevokeKey(first->api(), key, id).ok());
  ServerProcess* third = StartWith(file_);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(KeyIn(file_), key);
  EXPECT_REFUSED(TryKey(third->api(), key), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(BootstrapTest, AKeyThatIsInTheFileAlreadyIsTaken) {
  const std::string key = "prk_01JQ8X5K2M3N4P5R6S7T8V9WXY_" + std::string(64, '7');
  std::ofstream(file_) << key << "\n";
  ServerProcess* server = StartWith(file_);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(KeyIn(file_), key);
  EXPECT_TRUE(TryKey(server->api(), key).ok());
}

TEST_F(BootstrapTest, AFileThatHoldsSomethingElseIsNotOverwritten) {
  std::ofstream(file_) << "something of somebody's\n";
  ServerProcess::Options options;
  options.database = database().conninfo();
  options.flags = {"--bootstrap-key", file_};
  const auto server = ServerProcess::Start(options);
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("ended with 1"));
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("holds no API key"));
  EXPECT_EQ(FileContent(file_), "something of somebody's\n");
}

}  // namespace
}  // namespace postrider::testing
