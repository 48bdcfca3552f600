#include "tools/postrider/receiver.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace postrider::cli {
namespace {

constexpr int kBacklog = 128;
constexpr absl::Duration kLastAnswers = absl::Seconds(1);
// When the system has no sockets left, or enough connections are open.
constexpr absl::Duration kLongestPoll = absl::Seconds(10);

absl::Status ListenError(const std::string& address, int port, absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", address, " port ", port, ": ", why));
}

absl::StatusOr<std::string> UrlOf(int socket) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&bound), size, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return absl::UnavailableError("cannot tell the address that is listened on");
  }
  return bound.ss_family == AF_INET6 ? absl::StrCat("http://[", host, "]:", port)
                                     : absl::StrCat("http://", host, ":", port);
}

}  // namespace

absl::StatusOr<Receiver> Receiver::Listen(const std::string& address, int port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return ListenError(address, port, gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);

  const int listener =
      socket(found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return ListenError(address, port, strerror(errno));
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(listener, found->ai_addr, found->ai_addrlen) != 0 || listen(listener, kBacklog) != 0) {
    const int reason = errno;
    close(listener);
    return ListenError(address, port, strerror(reason));
  }
  absl::StatusOr<std::string> url = UrlOf(listener);
  if (!url.ok()) {
    close(listener);
    return url.status();
  }
  return Receiver(listener, *std::move(url));
}

Receiver::Receiver(int listener, std::string url) : listener_(listener), url_(std::move(url)) {}

Receiver::Receiver(Receiver&& other) noexcept
    : listener_(std::exchange(other.listener_, -1)),
      url_(std::move(other.url_)),
      connections_(std::move(other.connections_)) {}

Receiver::~Receiver() {
  if (listener_ >= 0) close(listener_);
}

absl::Status Receiver::Serve(int stop_fd, const Judgement& judge,
                             const std::function<bool()>& is_done) {
  while (!is_done()) {
    const absl::StatusOr<bool> stopped =
        Turn(stop_fd, absl::InfiniteFuture(), /*accepts=*/true, judge);
    if (!stopped.ok()) return stopped.status();
    if (*stopped) break;
  }
  const absl::Time last = absl::Now() + kLastAnswers;
  const Judgement none = nullptr;
  while (HasOutput() && absl::Now() < last) {
    const absl::StatusOr<bool> turn = Turn(/*stop_fd=*/-1, last, /*accepts=*/false, none);
    if (!turn.ok()) return turn.status();
  }
  return absl::OkStatus();
}

// One wait and what it brought; true if `stop_fd` is readable.
absl::StatusOr<bool> Receiver::Turn(int stop_fd, absl::Time until, bool accepts,
                                    const Judgement& judge) {
  accepts = accepts && connections_.size() < kMaxConnections;
  std::vector<pollfd> polled = {{stop_fd, POLLIN, 0}, {accepts ? listener_ : -1, POLLIN, 0}};
  absl::Time wake = std::min(until, absl::Now() + kLongestPoll);
  for (const ReceiverConnection& connection : connections_) {
    polled.push_back({connection.socket(), connection.events(), 0});
    wake = std::min(wake, connection.deadline());
  }
  // Rounded up: a wait that ends too early would spin.
  const int64_t wait = std::max<int64_t>(0, absl::ToInt64Milliseconds(wake - absl::Now()) + 1);
  if (poll(polled.data(), polled.size(), static_cast<int>(wait)) < 0 && errno != EINTR) {
    return absl::InternalError(absl::StrCat("poll failed: ", strerror(errno)));
  }
  std::vector<short> reported;
  for (size_t i = 2; i < polled.size(); ++i) reported.push_back(polled[i].revents);
  const absl::Time now = absl::Now();
  AdvanceAll(reported, now, judge);
  if (polled[1].revents != 0) Accept(now);
  return polled[0].revents != 0;
}

void Receiver::AdvanceAll(const std::vector<short>& reported, absl::Time now,
                          const Judgement& judge) {
  const auto answer = [&](const std::variant<Refused, Complete>& request) -> std::string {
    if (judge == nullptr) return "";  // the end: what is already written goes out, no more
    const Received received = judge(request);
    const auto* complete = std::get_if<Complete>(&request);
    const bool close = complete == nullptr || !complete->request.keep_alive;
    std::string text = received.reason;
    if (!text.empty()) text += "\n";
    return FormatResponse(received.answer, text, close);
  };
  size_t i = 0;
  for (auto connection = connections_.begin(); connection != connections_.end(); ++i) {
    const bool stays =
        reported[i] != 0 ? connection->Advance(now, answer) : connection->deadline() > now;
    connection = stays ? std::next(connection) : connections_.erase(connection);
  }
}

void Receiver::Accept(absl::Time now) {
  while (connections_.size() < kMaxConnections) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;
    connections_.emplace_back(socket, now);
  }
}

bool Receiver::HasOutput() const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [](const ReceiverConnection& c) { return c.has_output(); });
}

}  // namespace postrider::cli
