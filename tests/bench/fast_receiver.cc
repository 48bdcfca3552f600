#include "tests/bench/fast_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace postrider::bench {

struct FastReceiver::Shared {
  std::atomic<int64_t> delay_nanoseconds{0};
  std::atomic<int> answer_bytes{200};
  std::atomic<int64_t> received{0};
  std::atomic<int64_t> answered{0};
  LatencyHistogram arrivals;
};

namespace {

constexpr int kBacklog = 4096;
constexpr int kEvents = 256;
constexpr size_t kReadBytes = size_t{256} << 10;
// Where the mark is looked for: the envelope and its `data` begin before.
constexpr size_t kMarkWithin = 512;

[[noreturn]] void Die(const char* what) {
  ::perror(what);
  ::abort();
}

int64_t Now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string AnswerOf(int body_bytes) {
  return absl::StrCat("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ", body_bytes,
                      "\r\n\r\n", std::string(static_cast<size_t>(body_bytes), 'a'));
}

// The length of the first request in `bytes`, head and body; none when it is not all there. What
// has no length has no body.
std::optional<size_t> RequestLength(absl::string_view bytes, size_t* head_length) {
  constexpr absl::string_view kEnd = "\r\n\r\n";
  constexpr absl::string_view kLength = "\r\nContent-Length: ";
  const size_t end = bytes.find(kEnd);
  if (end == absl::string_view::npos) return std::nullopt;
  *head_length = end + kEnd.size();
  size_t body_length = 0;
  const absl::string_view head = bytes.substr(0, end);
  if (const size_t at = head.find(kLength); at != absl::string_view::npos) {
    for (size_t i = at + kLength.size(); i < head.size() && head[i] >= '0' && head[i] <= '9'; ++i) {
      body_length = 10 * body_length + static_cast<size_t>(head[i] - '0');
    }
  }
  const size_t length = *head_length + body_length;
  return bytes.size() < length ? std::nullopt : std::optional(length);
}

class ReceiverLoop {
 public:
  ReceiverLoop(std::vector<int> listeners, std::vector<int> slow_listeners,
               FastReceiver::Shared& shared)
      : listeners_(std::move(listeners)),
        slow_listeners_(std::move(slow_listeners)),
        shared_(shared) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) Die("epoll_create1");
    for (const int listener : listeners_) Watch(listener);
    for (const int listener : slow_listeners_) Watch(listener);
  }

  [[noreturn]] void Run() {
    std::array<epoll_event, kEvents> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), kEvents, WaitMilliseconds());
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<size_t>(i)].data.fd;
        if (Contains(listeners_, fd)) {
          Accept(fd, /*slow=*/false);
        } else if (Contains(slow_listeners_, fd)) {
          Accept(fd, /*slow=*/true);
        } else {
          Read(fd);
        }
      }
      AnswerDue();
    }
  }

 private:
  struct Connection {
    uint64_t number = 0;  // which one of those that had this descriptor
    bool slow = false;
    std::string unread;
  };
  struct Due {
    int64_t at;
    int fd;
    uint64_t number;
  };

  static bool Contains(const std::vector<int>& fds, int fd) {
    return std::find(fds.begin(), fds.end(), fd) != fds.end();
  }

  void Watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl");
  }

  int WaitMilliseconds() const {
    if (due_.empty() && slow_due_.empty()) return -1;
    int64_t at = std::numeric_limits<int64_t>::max();
    for (const std::deque<Due>* due : {&due_, &slow_due_}) {
      if (!due->empty()) at = std::min(at, due->front().at);
    }
    const int64_t left = at - Now();
    return left <= 0 ? 0 : static_cast<int>((left + 999'999) / 1'000'000);
  }

  void Accept(int listener, bool slow) {
    for (;;) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      if (connections_.size() <= static_cast<size_t>(fd)) {
        connections_.resize(static_cast<size_t>(fd) + 1);
      }
      connections_[static_cast<size_t>(fd)].number = ++last_number_;
      connections_[static_cast<size_t>(fd)].slow = slow;
      Watch(fd);
    }
  }

  void Drop(int fd) {
    connections_[static_cast<size_t>(fd)] = {};
    ::close(fd);
  }

  void Read(int fd) {
    const ssize_t got = ::read(fd, buffer_.get(), kReadBytes);
    if (got <= 0) {
      if (got == 0 || (errno != EAGAIN && errno != EINTR)) Drop(fd);
      return;
    }
    Connection& connection = connections_[static_cast<size_t>(fd)];
    absl::string_view bytes(buffer_.get(), static_cast<size_t>(got));
    if (!connection.unread.empty()) {
      connection.unread.append(bytes.data(), bytes.size());
      bytes = connection.unread;
    }
    size_t taken = 0;
    size_t head_length = 0;
    while (const std::optional<size_t> length = RequestLength(bytes.substr(taken), &head_length)) {
      Arrived(bytes.substr(taken + head_length, *length - head_length), fd, connection);
      taken += *length;
    }
    std::string rest(bytes.substr(taken));
    connection.unread = std::move(rest);
  }

  void Arrived(absl::string_view body, int fd, const Connection& connection) {
    const int64_t now = Now();
    shared_.received.fetch_add(1, std::memory_order_relaxed);
    const absl::string_view start = body.substr(0, kMarkWithin);
    const absl::string_view kMark = kSentMark;
    constexpr size_t kDigits = 20;
    int64_t sent = 0;
    if (const size_t at = start.find(kMark);
        at != absl::string_view::npos &&
        absl::SimpleAtoi(start.substr(at + kMark.size(), kDigits), &sent)) {
      shared_.arrivals.Add(absl::Nanoseconds(now - sent));
    }
    if (connection.slow) {
      slow_due_.push_back(
          {now + absl::ToInt64Nanoseconds(FastReceiver::kSlow), fd, connection.number});
      return;
    }
    const int64_t delay = shared_.delay_nanoseconds.load(std::memory_order_relaxed);
    // A shorter delay than before waits behind the longer ones.
    if (delay > 0 || !due_.empty()) {
      due_.push_back({now + delay, fd, connection.number});
    } else {
      Answer(fd);
    }
  }

  void AnswerDue() {
    for (std::deque<Due>* all : {&due_, &slow_due_}) {
      if (all->empty()) continue;
      const int64_t now = Now();
      while (!all->empty() && all->front().at <= now) {
        const Due due = all->front();
        all->pop_front();
        if (connections_[static_cast<size_t>(due.fd)].number == due.number) Answer(due.fd);
      }
    }
  }

  void Answer(int fd) {
    const int bytes = shared_.answer_bytes.load(std::memory_order_relaxed);
    if (bytes != answer_body_) {
      answer_body_ = bytes;
      answer_ = AnswerOf(bytes);
    }
    // An answer is far smaller than a socket's buffer, and the sender waits for it.
    if (::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(answer_.size())) {
      Drop(fd);
      return;
    }
    shared_.answered.fetch_add(1, std::memory_order_relaxed);
  }

  const std::vector<int> listeners_;
  const std::vector<int> slow_listeners_;
  FastReceiver::Shared& shared_;
  int epoll_ = -1;
  const std::unique_ptr<char[]> buffer_{new char[kReadBytes]};
  std::vector<Connection> connections_;  // by descriptor
  uint64_t last_number_ = 0;
  std::deque<Due> due_;       // in the order of their times
  std::deque<Due> slow_due_;  // too
  int answer_body_ = -1;
  std::string answer_;
};

int Bind(uint16_t* port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    Die("the receiver cannot listen");
  }
  *port = ntohs(address.sin_port);
  return fd;
}

int Listen(uint16_t* port) {
  const int fd = Bind(port);
  if (::listen(fd, kBacklog) != 0) Die("the receiver cannot listen");
  return fd;
}

std::string UrlOf(uint16_t port) { return absl::StrCat("http://127.0.0.1:", port, "/hook"); }

FastReceiver::Shared* MakeShared() {
  void* memory = ::mmap(nullptr, sizeof(FastReceiver::Shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Die("no shared memory for the receiver");
  return new (memory) FastReceiver::Shared;
}

}  // namespace

FastReceiver::FastReceiver() : shared_(MakeShared()) {
  std::vector<int> listeners;
  std::vector<int> slow_listeners;
  for (uint16_t& port : ports_) listeners.push_back(Listen(&port));
  for (uint16_t& port : slow_ports_) slow_listeners.push_back(Listen(&port));
  dead_ = Bind(&dead_port_);
  pid_ = ::fork();
  if (pid_ < 0) Die("cannot start the receiver");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "bench-receiver");
    ReceiverLoop(std::move(listeners), std::move(slow_listeners), *shared_).Run();
  }
  for (const int listener : listeners) ::close(listener);
  for (const int listener : slow_listeners) ::close(listener);
}

FastReceiver::~FastReceiver() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::munmap(shared_, sizeof(Shared));
  ::close(dead_);
}

std::string FastReceiver::Url(size_t number) const { return UrlOf(ports_[number % ports_.size()]); }

std::string FastReceiver::SlowUrl(size_t number) const {
  return UrlOf(slow_ports_[number % slow_ports_.size()]);
}

std::string FastReceiver::DeadUrl() const { return UrlOf(dead_port_); }

void FastReceiver::SetDelay(absl::Duration delay) {
  shared_->delay_nanoseconds = absl::ToInt64Nanoseconds(delay);
}

void FastReceiver::SetAnswerBytes(int bytes) { shared_->answer_bytes = bytes; }

int64_t FastReceiver::received() const { return shared_->received; }
int64_t FastReceiver::answered() const { return shared_->answered; }
LatencyHistogram& FastReceiver::arrivals() { return shared_->arrivals; }

}  // namespace postrider::bench
