// The instruments of the integration tests, held to what their headers promise.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/program.h"
#include "tests/support/receiver.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/test_database.h"
#include "tests/support/ulid_text.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

// A connection to a receiver.
class Connection {
 public:
  explicit Connection(const Receiver& receiver) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(receiver.port());
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Connection() { ::close(fd_); }

  void Post(const std::string& target, const std::string& body) {
    const std::string request = absl::StrCat("POST ", target, " HTTP/1.1\r\nX-One: 1\r\nx-one: 2",
                                             "\r\ncontent-length: ", body.size(), "\r\n\r\n", body);
    EXPECT_EQ(::send(fd_, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
  }

  // What comes next; "" when the connection was closed.
  std::string Read() {
    char buffer[4096];
    const ssize_t got = ::recv(fd_, buffer, sizeof(buffer), 0);
    return got <= 0 ? "" : std::string(buffer, static_cast<size_t>(got));
  }

 private:
  const int fd_;
};

TEST(ReceiverTest, RecordsRequestsAsTheyCame) {
  Receiver receiver;
  Connection connection(receiver);
  const std::string body("a\0b\r\n\r\n", 7);
  connection.Post("/x?y=1", body);
  EXPECT_TRUE(absl::StartsWith(connection.Read(), "HTTP/1.1 200 "));
  connection.Post("/z", "");
  connection.Read();
  const std::vector<ReceivedRequest> requests = receiver.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/x?y=1");
  EXPECT_EQ(requests[0].body, body);
  EXPECT_EQ(requests[0].headers[0].first, "X-One");
  EXPECT_EQ(requests[0].Header("x-ONE"), "1");
  EXPECT_EQ(requests[0].CountHeaders("x-one"), 2u);
  EXPECT_EQ(requests[1].connection, requests[0].connection);
  EXPECT_EQ(receiver.RequestsTo("/z").size(), 1u);
}

TEST(ReceiverTest, AnswersInTurn) {
  Receiver receiver;
  receiver.AnswerInTurn({Answer{.status = 500, .headers = {{"x-a", "b"}}, .body = "no"},
                         Answer{.raw = "HTTP/1.1 204 \r\n\r\n"}});
  Connection connection(receiver);
  connection.Post("/", "1");
  const std::string first = connection.Read();
  EXPECT_TRUE(absl::StartsWith(first, "HTTP/1.1 500 ")) << first;
  EXPECT_TRUE(absl::StrContains(first, "x-a: b\r\n"));
  EXPECT_TRUE(absl::EndsWith(first, "\r\n\r\nno"));
  for (int i = 0; i < 2; ++i) {
    connection.Post("/", "2");
    EXPECT_EQ(connection.Read(), "HTTP/1.1 204 \r\n\r\n");
  }
}

TEST(ReceiverTest, DropsWithoutAnAnswerAndClosesAfterOne) {
  Receiver receiver;
  receiver.AnswerInTurn({Answer{.drop = true}, Answer{.close = true}});
  Connection dropped(receiver);
  dropped.Post("/", "1");
  EXPECT_EQ(dropped.Read(), "");
  Connection closed(receiver);
  closed.Post("/", "1");
  EXPECT_NE(closed.Read(), "");
  EXPECT_EQ(closed.Read(), "");
}

TEST(ReceiverTest, HoldsUntilReleasedAndCountsWhatIsUnanswered) {
  Receiver receiver;
  receiver.AlwaysAnswer(Answer{.hold = true});
  {
    Connection one(receiver);
    Connection two(receiver);
    one.Post("/a", "1");
    two.Post("/b", "2");
    EXPECT_TRUE(receiver.WaitForUnanswered(2));
    EXPECT_EQ(receiver.MostUnanswered("/a"), 1);
    receiver.Release();
    EXPECT_NE(one.Read(), "");
    EXPECT_NE(two.Read(), "");
  }
  EXPECT_TRUE(receiver.WaitForUnanswered(0));
}

TEST(ReceiverTest, ForgetsARequestWhoseSenderWentAway) {
  Receiver receiver;
  receiver.AlwaysAnswer(Answer{.hold = true});
  {
    Connection connection(receiver);
    connection.Post("/", "1");
    EXPECT_TRUE(receiver.WaitForUnanswered(1));
  }
  EXPECT_TRUE(receiver.WaitForUnanswered(0));
  EXPECT_EQ(receiver.Requests().size(), 1u);
}

TEST(ReceiverTest, DelaysAnAnswer) {
  Receiver receiver;
  receiver.AlwaysAnswer(Answer{.delay = absl::Milliseconds(100)});
  Connection connection(receiver);
  const absl::Time start = absl::Now();
  connection.Post("/", "1");
  EXPECT_NE(connection.Read(), "");
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(100));
}

TEST(ReceiverTest, StaysAtSaysWhetherMoreCame) {
  Receiver receiver;
  EXPECT_TRUE(receiver.StaysAt(0, absl::Milliseconds(20)));
  Connection connection(receiver);
  connection.Post("/", "1");
  EXPECT_FALSE(receiver.StaysAt(0));
}

TEST(ProgramTest, HasLinesAnEndAndAnExitCode) {
  Program::Options options;
  options.arguments = {"/bin/sh", "-c", "echo one; echo $WORD; exit 7"};
  options.environment = {{"WORD", "two"}};
  absl::StatusOr<std::unique_ptr<Program>> program = Program::Start(options);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->ReadLine(kPatience).value_or(""), "one");
  EXPECT_EQ((*program)->ReadLine(kPatience).value_or(""), "two");
  EXPECT_TRUE(absl::IsOutOfRange((*program)->ReadLine(kPatience).status()));
  EXPECT_EQ((*program)->WaitForExit(kPatience), 7);
}

TEST(ProgramTest, CanBeKilled) {
  Program::Options options;
  options.arguments = {"/bin/sleep", "1000"};
  absl::StatusOr<std::unique_ptr<Program>> program = Program::Start(options);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->WaitForExit(absl::Milliseconds(1)), std::nullopt);
  EXPECT_TRUE(absl::IsDeadlineExceeded((*program)->ReadLine(absl::Milliseconds(1)).status()));
  (*program)->Signal(SIGKILL);
  EXPECT_EQ((*program)->WaitForExit(kPatience), 128 + SIGKILL);
}

TEST(ProgramTest, StandsStillWhenStopReturns) {
  Program::Options options;
  options.arguments = {"/bin/sh", "-c", "while :; do :; done"};
  absl::StatusOr<std::unique_ptr<Program>> program = Program::Start(options);
  ASSERT_TRUE(program.ok()) << program.status();
  const auto state = [&] {
    std::ifstream file(absl::StrCat("/proc/", (*program)->pid(), "/stat"));
    std::string pid, name, value;
    file >> pid >> name >> value;
    return value;
  };
  for (int i = 0; i < 20; ++i) {
    (*program)->Stop();
    EXPECT_EQ(state(), "T");
    (*program)->Signal(SIGCONT);
    EXPECT_TRUE(WaitUntil([&] { return state() != "T"; }));
  }
  (*program)->Signal(SIGKILL);
  EXPECT_EQ((*program)->WaitForExit(kPatience), 128 + SIGKILL);
  (*program)->Stop();  // of what has ended does nothing
}

TEST(TestClusterTest, MakesDatabasesAndSurvivesAKill) {
  absl::StatusOr<std::unique_ptr<TestCluster>> cluster = TestCluster::Start();
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  const std::unique_ptr<TestDatabase> one = (*cluster)->NewDatabase();
  const std::unique_ptr<TestDatabase> two = (*cluster)->NewDatabase();
  one->Query("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)");
  EXPECT_EQ(one->Query("SELECT * FROM t ORDER BY a"), (Rows{{"1", "x"}, {"2", ""}}));
  EXPECT_EQ(one->Dump(), "t\n  (1,x)\n  (2,)\n");
  EXPECT_EQ(two->Value("SELECT to_regclass('t') IS NULL"), "t");
  (*cluster)->Kill();
  ASSERT_TRUE((*cluster)->StartAgain().ok());
  EXPECT_EQ(one->Value("SELECT count(*) FROM t"), "2");
}

TEST(UlidTextTest, KnowsTheTimeAndTheAlphabet) {
  EXPECT_EQ(TimeOfUlid("01ARZ3NDEKTSV4RRFFQ69G5FAV"), absl::FromUnixMillis(1469922850259));
  for (const char* text : {"", "01ARZ3NDEKTSV4RRFFQ69G5FA", "81ARZ3NDEKTSV4RRFFQ69G5FAV",
                           "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01arz3ndektsv4rrffq69g5fav"}) {
    EXPECT_EQ(TimeOfUlid(text), std::nullopt) << text;
  }
}

// Run by the test below in a process of its own.
TEST(ScratchFolderTest, DISABLED_Dies) {
  absl::StatusOr<std::unique_ptr<TestCluster>> cluster = TestCluster::Start();
  ASSERT_TRUE(cluster.ok());
  std::cout << "scratch " << ScratchFolder::Path() << std::endl;
  ::raise(SIGKILL);
}

TEST(ScratchFolderTest, IsGoneWithItsProcessesAfterAKill) {
  Program::Options options;
  options.arguments = {"/proc/self/exe", "--gtest_also_run_disabled_tests",
                       "--gtest_filter=ScratchFolderTest.DISABLED_Dies"};
  absl::StatusOr<std::unique_ptr<Program>> program = Program::Start(options);
  ASSERT_TRUE(program.ok()) << program.status();
  std::string path;
  while (path.empty()) {
    const absl::StatusOr<std::string> line = (*program)->ReadLine(absl::Seconds(60));
    ASSERT_TRUE(line.ok()) << line.status();
    if (absl::StartsWith(*line, "scratch ")) path = line->substr(8);
  }
  EXPECT_EQ((*program)->WaitForExit(kPatience), 128 + SIGKILL);
  struct stat info;
  EXPECT_TRUE(WaitUntil([&] { return ::stat(path.c_str(), &info) != 0; })) << path;
}

}  // namespace
}  // namespace postrider::testing
