// The loop's steps, without its thread.

#include "server/http/multi.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/http/loop_harness.h"

namespace postrider::http {
namespace {

// Takes connections, and does nothing with them.
class Listener {
 public:
  Listener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, any, length), 0);
    EXPECT_EQ(listen(socket_, 200), 0);
    EXPECT_EQ(getsockname(socket_, any, &length), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { close(socket_); }

  int port() const { return port_; }

 private:
  const int socket_;
  int port_ = 0;
};

long OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

TEST(MultiTest, ABurstIsSpreadOverTurns) {
  const Listener listener;
  LoopOptions options = LocalOptions();
  options.max_connections_per_origin = options.max_connections_total = 1000;
  Multi multi(options);
  std::vector<Result> results;
  multi.Advance(&results);
  std::vector<Request> burst;
  for (int i = 0; i < 100; ++i) {
    burst.push_back(LocalRequest(absl::StrCat("http://127.0.0.1:", listener.port(), "/")));
  }
  multi.Add(std::move(burst), &results);
  const long before = OpenDescriptors();
  multi.Advance(&results);
  EXPECT_EQ(OpenDescriptors() - before, 64);
  // The rest goes on at once: nothing is waited for.
  const Instant begun = MonotonicNow();
  multi.Wait(absl::Minutes(1));
  EXPECT_LT(MonotonicNow() - begun, absl::Seconds(30));
  multi.Advance(&results);
  EXPECT_EQ(OpenDescriptors() - before, 100);
  multi.Abort(&results);
  EXPECT_EQ(results.size(), 100u);
}

}  // namespace
}  // namespace postrider::http
