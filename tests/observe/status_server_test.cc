// Whoever asks whether the server is well gets an answer, whatever others do on the same port.

#include "server/observe/status_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"

namespace postrider::observe {
namespace {

class Client {
 public:
  explicit Client(const StatusServer& server) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(server.address().substr(server.address().rfind(':') + 1), &port));
    target.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&target), sizeof(target)), 0);
  }
  ~Client() { close(fd_); }

  bool Send(const std::string& bytes) {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0;
  }
  // Everything until the server closes the connection, or nothing more comes for that long.
  std::string Read(absl::Duration patience) {
    const timeval wait = absl::ToTimeval(patience);
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    std::string all;
    char buffer[1024];
    ssize_t got = 0;
    while ((got = recv(fd_, buffer, sizeof(buffer), 0)) > 0) {
      all.append(buffer, static_cast<size_t>(got));
    }
    closed_ = got == 0 || errno == ECONNRESET;
    return all;
  }
  bool closed() const { return closed_; }

 private:
  const int fd_;
  bool closed_ = false;
};

// Well below what one that is silent may take.
const absl::Duration kAtOnce = StatusServer::kPatience / 2;

std::unique_ptr<StatusServer> Serve() {
  auto server = StatusServer::Start("127.0.0.1:0", [] { return Readiness{false, "no database"}; });
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

std::string Ask(const StatusServer& server, const std::string& path) {
  Client client(server);
  client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  return client.Read(kAtOnce);
}

TEST(StatusServerTest, TellsHealthAndReadiness) {
  const auto server = Serve();
  EXPECT_EQ(Ask(*server, "/healthz"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
            "Connection: close\r\n\r\nok\n");
  EXPECT_EQ(Ask(*server, "/readyz"),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
            "Connection: close\r\n\r\nno database\n");
  EXPECT_EQ(Ask(*server, "/other").substr(0, 22), "HTTP/1.1 404 Not Found");
}

TEST(StatusServerTest, NobodyWaitsBehindThoseWhoSayNothing) {
  const auto server = Serve();
  std::vector<std::unique_ptr<Client>> silent;
  for (size_t i = 0; i < StatusServer::kMaxConnections + 10; ++i) {
    silent.push_back(std::make_unique<Client>(*server));
    if (i % 10 == 0) {
      EXPECT_EQ(Ask(*server, "/healthz").substr(0, 15), "HTTP/1.1 200 OK") << i;
    }
  }
  EXPECT_EQ(Ask(*server, "/healthz").substr(0, 15), "HTTP/1.1 200 OK");
  // The oldest made room.
  EXPECT_EQ(silent.front()->Read(kAtOnce), "");
  EXPECT_TRUE(silent.front()->closed());
}

TEST(StatusServerTest, OneThatDripsIsCutInTime) {
  const auto server = Serve();
  Client drip(*server);
  const Instant begun = MonotonicNow();
  // Never silent for as long as it may be.
  while (!drip.closed() && MonotonicNow() < begun + 10 * StatusServer::kPatience) {
    drip.Send("x");
    EXPECT_EQ(drip.Read(StatusServer::kPatience / 10), "");
  }
  EXPECT_TRUE(drip.closed());
  EXPECT_GE(MonotonicNow() - begun, StatusServer::kPatience * 0.9);
}

TEST(StatusServerTest, ARequestThatIsTooLongIsCutAtOnce) {
  const auto server = Serve();
  Client client(*server);
  client.Send(std::string(5000, 'x'));
  EXPECT_EQ(client.Read(kAtOnce), "");
  EXPECT_TRUE(client.closed());
}

TEST(StatusServerTest, TheEndWaitsForNobody) {
  auto server = Serve();
  Client silent(*server);
  silent.Send("GET ");
  EXPECT_EQ(Ask(*server, "/healthz").substr(0, 15), "HTTP/1.1 200 OK");
  const Instant begun = MonotonicNow();
  server.reset();
  EXPECT_LT(MonotonicNow() - begun, kAtOnce);
}

}  // namespace
}  // namespace postrider::observe
