#include "tests/support/database_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/postgres_messages.h"

namespace postrider::testing {
namespace {

constexpr int kBacklog = 256;
constexpr size_t kMaxWaiting = 256 * 1024;
constexpr char kReadyForQuery = 'Z';
constexpr char kSync = 'S';
constexpr char kQuery = 'Q';

void Check(bool holds, const char* what) {
  if (holds) return;
  ::perror(what);
  ::abort();
}

int ConnectTo(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) return -1;
  socket_path.copy(address.sun_path, socket_path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  Check(fd >= 0, "socket");
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

// Bytes on their way to one side.
class Pipe {
 public:
  void Add(absl::string_view bytes, absl::Time due) {
    waiting_ += bytes.size();
    chunks_.push_back({due, std::string(bytes)});
  }

  bool full() const { return waiting_ >= kMaxWaiting; }
  bool empty() const { return chunks_.empty(); }
  // Infinitely late when there is nothing.
  absl::Time next() const { return empty() ? absl::InfiniteFuture() : chunks_.front().due; }

  // Sends what is due; false when the other side is gone.
  bool Send(int fd) {
    while (!empty() && next() <= absl::Now()) {
      std::string& bytes = chunks_.front().bytes;
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      waiting_ -= static_cast<size_t>(sent);
      bytes.erase(0, static_cast<size_t>(sent));
      if (bytes.empty()) chunks_.pop_front();
    }
    return true;
  }

 private:
  struct Chunk {
    absl::Time due;
    std::string bytes;
  };
  std::deque<Chunk> chunks_;
  size_t waiting_ = 0;
};

// What there is to read, added to `bytes`; false when the other side is gone.
bool ReadInto(int fd, std::string& bytes) {
  char buffer[65536];
  const ssize_t got = ::recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got > 0) bytes.append(buffer, static_cast<size_t>(got));
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace

struct DatabaseProxy::Connection {
  int client = -1;
  int server = -1;
  std::string from_client;  // Not yet a whole message.
  std::string from_server;
  Pipe to_client;
  Pipe to_server;
  bool greeted = false;          // The client's first message is over.
  std::optional<Moment> cut;     // Of the statement that runs.
  bool close_when_sent = false;  // As soon as the server has everything.

  ~Connection() {
    ::close(client);
    if (server >= 0) ::close(server);
  }
};

DatabaseProxy::DatabaseProxy(absl::string_view conninfo) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  Check(listener_ >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Check(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  socklen_t size = sizeof(address);
  Check(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
  Check(::listen(listener_, kBacklog) == 0, "listen");
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Check(wake_ >= 0, "eventfd");
  std::string port = "5432";
  for (absl::string_view word : absl::StrSplit(conninfo, ' ')) {
    if (absl::ConsumePrefix(&word, "host=")) {
      socket_path_ = std::string(word);
    } else if (absl::ConsumePrefix(&word, "port=")) {
      port = std::string(word);
    } else {
      absl::StrAppend(&conninfo_, word, " ");
    }
  }
  absl::StrAppend(&socket_path_, "/.s.PGSQL.", port);
  // In the clear, so that the proxy can read along.
  absl::StrAppend(&conninfo_, "host=127.0.0.1 port=", port_, " sslmode=disable gssencmode=disable");
  thread_ = std::thread([this] { Run(); });
}

DatabaseProxy::~DatabaseProxy() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  connections_.clear();
  ::close(listener_);
  ::close(wake_);
}

void DatabaseProxy::Set(Mode mode) {
  {
    absl::MutexLock lock(&mu_);
    mode_ = mode;
    cut_all_ |= mode == Mode::kRefuse;
  }
  Wake();
}

void DatabaseProxy::Delay(absl::Duration delay) {
  absl::MutexLock lock(&mu_);
  delay_ = delay;
}

void DatabaseProxy::CutAll() {
  {
    absl::MutexLock lock(&mu_);
    cut_all_ = true;
  }
  Wake();
}

void DatabaseProxy::CutAt(absl::string_view statement, Moment moment, int count) {
  absl::MutexLock lock(&mu_);
  cut_statement_ = std::string(statement);
  cut_moment_ = moment;
  cuts_left_ = count;
}

int DatabaseProxy::cuts() const {
  absl::MutexLock lock(&mu_);
  return cuts_;
}

bool DatabaseProxy::WaitForCuts(int count, absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return cuts_ >= count; };
  return mu_.AwaitWithTimeout(absl::Condition(&reached), timeout);
}

void DatabaseProxy::Run() {
  while (true) {
    Mode mode;
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) return;
      mode = mode_;
      if (std::exchange(cut_all_, false)) connections_.clear();
    }
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    absl::Time next = absl::InfiniteFuture();
    if (mode == Mode::kForward) {
      for (const std::unique_ptr<Connection>& c : connections_) {
        const auto events = [now = absl::Now()](const Pipe& out, const Pipe& in) {
          return static_cast<short>((out.next() <= now ? POLLOUT : 0) | (in.full() ? 0 : POLLIN));
        };
        polled.push_back({c->client, events(c->to_client, c->to_server), 0});
        polled.push_back({c->server, events(c->to_server, c->to_client), 0});
        for (const Pipe* pipe : {&c->to_client, &c->to_server}) {
          if (pipe->next() > absl::Now()) next = std::min(next, pipe->next());
        }
      }
    }
    const int timeout_ms =
        next == absl::InfiniteFuture()
            ? -1
            : static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(
                  std::max(next - absl::Now(), absl::ZeroDuration()), absl::Milliseconds(1))));
    Check(::poll(polled.data(), polled.size(), timeout_ms) >= 0 || errno == EINTR, "poll");
    uint64_t count;
    while (::read(wake_, &count, sizeof(count)) > 0) {
    }
    {
      absl::MutexLock lock(&mu_);
      mode = mode_;
    }
    if (mode == Mode::kForward && polled.size() == 2 + 2 * connections_.size()) {
      std::vector<std::unique_ptr<Connection>> kept;
      for (size_t i = 0; i < connections_.size(); ++i) {
        if (Serve(*connections_[i], polled[2 + 2 * i].revents, polled[3 + 2 * i].revents)) {
          kept.push_back(std::move(connections_[i]));
        }
      }
      connections_ = std::move(kept);
    }
    Accept();
  }
}

void DatabaseProxy::Accept() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto connection = std::make_unique<Connection>();
    connection->client = fd;
    connection->server = ConnectTo(socket_path_);
    absl::MutexLock lock(&mu_);
    if (connection->server >= 0 && mode_ != Mode::kRefuse) {
      connections_.push_back(std::move(connection));
    }
  }
}

bool DatabaseProxy::Serve(Connection& connection, short client_events, short server_events) {
  constexpr short kReadable = POLLIN | POLLHUP | POLLERR;
  if ((server_events & kReadable) != 0) {
    const bool open = ReadInto(connection.server, connection.from_server);
    if (!TakeFromServer(connection)) return false;
    // What it said last still goes on.
    if (!open) {
      connection.to_client.Send(connection.client);
      return false;
    }
  }
  if ((client_events & kReadable) != 0) {
    if (!ReadInto(connection.client, connection.from_client)) return false;
    if (!TakeFromClient(connection)) return false;
  }
  if (!connection.to_client.Send(connection.client)) return false;
  if (!connection.to_server.Send(connection.server)) return false;
  return !(connection.close_when_sent && connection.to_server.empty());
}

bool DatabaseProxy::TakeFromClient(Connection& connection) {
  absl::MutexLock lock(&mu_);
  while (std::optional<PostgresMessage> message =
             FirstMessage(connection.from_client, !connection.greeted)) {
    if (cuts_left_ > 0 && !connection.cut.has_value() && connection.greeted &&
        StatementOf(*message) == cut_statement_) {
      --cuts_left_;
      connection.cut = cut_moment_;
      if (cut_moment_ == Moment::kBeforeStatement) {
        ++cuts_;
        return false;
      }
    }
    connection.greeted = true;
    const bool ends_statement = message->type == kSync || message->type == kQuery;
    connection.to_server.Add(absl::string_view(connection.from_client).substr(0, message->size),
                             absl::Now() + delay_);
    connection.from_client.erase(0, message->size);
    if (ends_statement && connection.cut == Moment::kWithStatement) {
      ++cuts_;
      connection.close_when_sent = true;
      return true;
    }
  }
  return true;
}

bool DatabaseProxy::TakeFromServer(Connection& connection) {
  while (std::optional<PostgresMessage> message =
             FirstMessage(connection.from_server, /*first=*/false)) {
    if (connection.cut == Moment::kBeforeAnswer && message->type == kReadyForQuery) {
      CountCut();
      return false;
    }
    absl::MutexLock lock(&mu_);
    if (connection.cut != Moment::kBeforeAnswer) {
      connection.to_client.Add(absl::string_view(connection.from_server).substr(0, message->size),
                               absl::Now() + delay_);
    }
    connection.from_server.erase(0, message->size);
  }
  return true;
}

void DatabaseProxy::CountCut() {
  absl::MutexLock lock(&mu_);
  ++cuts_;
}

void DatabaseProxy::Wake() {
  const uint64_t one = 1;
  Check(::write(wake_, &one, sizeof(one)) == sizeof(one), "write");
}

}  // namespace postrider::testing
