#include "tests/support/receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace postrider::testing {
namespace {

constexpr int kBacklog = 1024;

void Check(bool holds, const char* what) {
  if (holds) return;
  ::perror(what);
  ::abort();
}

// A socket bound to a port of that address; 0 becomes a free one.
int Bind(const std::string& host, uint16_t* port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  Check(fd >= 0, "socket");
  // A receiver that comes back takes its port again at once.
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  Check(::inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1, "inet_pton");
  Check(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  socklen_t size = sizeof(address);
  Check(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  *port = ntohs(address.sin_port);
  return fd;
}

std::string AnswerBytes(const Answer& answer) {
  if (!answer.raw.empty()) return answer.raw;
  std::string bytes = absl::StrCat("HTTP/1.1 ", answer.status, " Status\r\n");
  for (const auto& [name, value] : answer.headers) {
    absl::StrAppend(&bytes, name, ": ", value, "\r\n");
  }
  if (answer.status != 204 && answer.status != 304) {
    absl::StrAppend(&bytes, "content-length: ", answer.body.size(), "\r\n");
  }
  absl::StrAppend(&bytes, "\r\n", answer.body);
  return bytes;
}

}  // namespace

struct Receiver::Connection {
  int fd = -1;
  int number = 0;
  std::string input;
  std::string output;
  bool close_after_output = false;
  std::optional<Answer> answer;  // Of the request that waits for one.
  std::string target;            // Of that request.
  absl::Time answer_time;        // Unset (past) while it is held.
  bool held = false;
};

Receiver::Receiver(std::string host, uint16_t port)
    : host_(std::move(host)),
      port_(port),
      answerer_(std::make_shared<Answerer>([](const ReceivedRequest&) { return Answer{}; })) {
  listener_ = Bind(host_, &port_);
  Check(::listen(listener_, kBacklog) == 0, "listen");
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Check(wake_ >= 0, "eventfd");
  thread_ = std::thread([this] { Run(); });
}

Receiver::~Receiver() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  for (const std::unique_ptr<Connection>& connection : connections_) ::close(connection->fd);
  ::close(listener_);
  ::close(wake_);
}

std::string Receiver::Url(absl::string_view path) const {
  return absl::StrCat("http://", host_, ":", port_, path);
}

void Receiver::AnswerBy(Answerer answerer) {
  absl::MutexLock lock(&mu_);
  answerer_ = std::make_shared<Answerer>(std::move(answerer));
}

void Receiver::AlwaysAnswer(Answer answer) {
  AnswerBy([answer = std::move(answer)](const ReceivedRequest&) { return answer; });
}

void Receiver::AnswerInTurn(std::vector<Answer> answers) {
  auto next = std::make_shared<std::atomic<size_t>>(0);
  AnswerBy([answers = std::move(answers), next](const ReceivedRequest&) {
    return answers[std::min(next->fetch_add(1), answers.size() - 1)];
  });
}

void Receiver::Release() {
  {
    absl::MutexLock lock(&mu_);
    holding_ = false;
  }
  Wake();
}

std::vector<ReceivedRequest> Receiver::Requests() const {
  absl::MutexLock lock(&mu_);
  return requests_;
}

std::vector<ReceivedRequest> Receiver::RequestsTo(absl::string_view target) const {
  std::vector<ReceivedRequest> found = Requests();
  found.erase(std::remove_if(found.begin(), found.end(),
                             [&](const ReceivedRequest& r) { return r.target != target; }),
              found.end());
  return found;
}

bool Receiver::WaitFor(absl::FunctionRef<bool(const std::vector<ReceivedRequest>&)> condition,
                       absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  const auto holds = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return condition(requests_); };
  return mu_.AwaitWithTimeout(absl::Condition(&holds), timeout);
}

std::vector<ReceivedRequest> Receiver::WaitForRequests(size_t count, absl::Duration timeout) const {
  WaitFor([&](const std::vector<ReceivedRequest>& all) { return all.size() >= count; }, timeout);
  return Requests();
}

bool Receiver::StaysAt(size_t count, absl::Duration timeout) const {
  return !WaitFor([&](const std::vector<ReceivedRequest>& all) { return all.size() > count; },
                  timeout);
}

int Receiver::Unanswered() const {
  absl::MutexLock lock(&mu_);
  int sum = 0;
  for (const auto& [target, count] : unanswered_) sum += count;
  return sum;
}

int Receiver::MostUnanswered(absl::string_view target) const {
  absl::MutexLock lock(&mu_);
  const auto found = most_unanswered_.find(target);
  return found == most_unanswered_.end() ? 0 : found->second;
}

bool Receiver::WaitForUnanswered(int count, absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    int sum = 0;
    for (const auto& [target, unanswered] : unanswered_) sum += unanswered;
    return sum == count || (count > 0 && sum > count);
  };
  return mu_.AwaitWithTimeout(absl::Condition(&reached), timeout);
}

void Receiver::Run() {
  while (true) {
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const std::unique_ptr<Connection>& connection : connections_) {
      const short output = connection->output.empty() ? 0 : POLLOUT;
      polled.push_back({connection->fd, static_cast<short>(POLLIN | output), 0});
    }
    Check(::poll(polled.data(), polled.size(), PollTimeoutMs()) >= 0 || errno == EINTR, "poll");
    uint64_t count;
    while (::read(wake_, &count, sizeof(count)) > 0) {
    }
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) return;
    }
    std::vector<std::unique_ptr<Connection>> kept;
    for (size_t i = 0; i < connections_.size(); ++i) {
      Connection& connection = *connections_[i];
      bool open = polled[i + 2].revents == 0 || Read(connection);
      open = open && AnswerIfDue(connection) && Write(connection);
      if (open) {
        kept.push_back(std::move(connections_[i]));
      } else {
        Forget(connection);
        ::close(connection.fd);
      }
    }
    connections_ = std::move(kept);
    Accept();
  }
}

void Receiver::Accept() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connection->number = ++connection_count_;
    connections_.push_back(std::move(connection));
  }
}

bool Receiver::Read(Connection& connection) {
  char buffer[65536];
  while (true) {
    const ssize_t got = ::recv(connection.fd, buffer, sizeof(buffer), 0);
    if (got == 0) return false;
    if (got < 0) {
      if (errno != EAGAIN && errno != EINTR) return false;
      break;
    }
    connection.input.append(buffer, static_cast<size_t>(got));
  }
  return TakeRequest(connection);
}

// Takes the next request, if it is complete and none is waiting for its answer.
bool Receiver::TakeRequest(Connection& connection) {
  if (connection.answer.has_value()) return true;
  bool malformed = false;
  std::optional<ParsedRequest> parsed = ParseRequest(connection.input, &malformed);
  if (malformed) {
    connection.output = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    connection.close_after_output = true;
    return true;
  }
  if (!parsed.has_value()) return true;
  connection.input.erase(0, parsed->size);
  parsed->request.connection = connection.number;
  parsed->request.time = absl::Now();
  connection.target = parsed->request.target;

  std::shared_ptr<const Answerer> answerer;
  {
    absl::MutexLock lock(&mu_);
    answerer = answerer_;
  }
  connection.answer = (*answerer)(parsed->request);
  connection.held = connection.answer->hold;
  connection.answer_time = parsed->request.time + connection.answer->delay;

  absl::MutexLock lock(&mu_);
  const int unanswered = ++unanswered_[connection.target];
  int& most = most_unanswered_[connection.target];
  most = std::max(most, unanswered);
  requests_.push_back(std::move(parsed->request));
  return true;
}

bool Receiver::AnswerIfDue(Connection& connection) {
  if (!connection.answer.has_value()) return true;
  if (connection.held) {
    absl::MutexLock lock(&mu_);
    if (holding_) return true;
    connection.held = false;
    connection.answer_time = absl::Now() + connection.answer->delay;
  }
  if (absl::Now() < connection.answer_time) return true;
  const Answer answer = *std::move(connection.answer);
  if (answer.drop) return false;
  Forget(connection);
  connection.answer.reset();
  connection.output += AnswerBytes(answer);
  connection.close_after_output = answer.close;
  return true;
}

bool Receiver::Write(Connection& connection) {
  while (!connection.output.empty()) {
    const ssize_t sent = ::send(connection.fd, connection.output.data(), connection.output.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection.output.erase(0, static_cast<size_t>(sent));
    if (connection.output.empty() && connection.close_after_output) return false;
  }
  return true;
}

// Its request, if one waits, will get no answer any more.
void Receiver::Forget(const Connection& connection) {
  if (!connection.answer.has_value()) return;
  absl::MutexLock lock(&mu_);
  --unanswered_[connection.target];
}

int Receiver::PollTimeoutMs() const {
  absl::Time next = absl::InfiniteFuture();
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection->answer.has_value() && !connection->held) {
      next = std::min(next, connection->answer_time);
    }
  }
  if (next == absl::InfiniteFuture()) return -1;
  const absl::Duration wait = std::max(next - absl::Now(), absl::ZeroDuration());
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

void Receiver::Wake() {
  const uint64_t one = 1;
  Check(::write(wake_, &one, sizeof(one)) == sizeof(one), "write");
}

uint16_t RefusingPort() {
  uint16_t port = 0;
  // Bound and not listening: nobody else can take it. Kept open until the program ends.
  Bind("127.0.0.1", &port);
  return port;
}

}  // namespace postrider::testing
