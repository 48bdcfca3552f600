// What a process without file descriptors says of receivers: nothing.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/http/loop_harness.h"
#include "tests/http/scripted_receiver.h"

namespace postrider::http {
namespace {

// Leaves no file descriptor to this process while it exists.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    // Standard input and the two outputs: what is freed above them is of no use meanwhile.
    low.rlim_cur = 3;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
  }
  ~NoDescriptors() {
    for (const int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST(LoopDescriptorsTest, WithoutAnyARequestIsNotStartedAndNoReceiverIsToBlame) {
  // Closes after each answer, so that the next request needs a connection of its own.
  ScriptedReceiver receiver([](ScriptedReceiver::Connection& c) {
    c.ReadRequest();
    c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  LoopHarness harness;
  const std::vector<std::string> urls = {receiver.url(), "http://unknown-name.invalid/"};
  ASSERT_EQ(harness.Post(urls[0]).status, 200);
  {
    const NoDescriptors none;
    for (const std::string& url : urls) {
      const Result result = harness.Post(url);
      EXPECT_EQ(result.error, TransferError::kNotStarted) << url << ": " << result.error_text;
      EXPECT_EQ(result.send_count, 0);
    }
  }
  EXPECT_EQ(harness.Post(urls[0]).status, 200);
  EXPECT_EQ(receiver.requests(), 2);
}

}  // namespace
}  // namespace postrider::http
