#include "server/http/sockets.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace postrider::http {
namespace {

uint32_t EventsFor(int what) {
  switch (what) {
    case CURL_POLL_IN:
      return EPOLLIN;
    case CURL_POLL_OUT:
      return EPOLLOUT;
    case CURL_POLL_INOUT:
      return EPOLLIN | EPOLLOUT;
    default:
      return 0;
  }
}

int BitsOf(uint32_t events) {
  int bits = 0;
  if ((events & (EPOLLIN | EPOLLHUP)) != 0) bits |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) bits |= CURL_CSELECT_OUT;
  if ((events & EPOLLERR) != 0) bits |= CURL_CSELECT_ERR;
  return bits;
}

// Without descriptors at start nothing can work.
int OrAbort(int descriptor) {
  if (descriptor < 0) std::abort();
  return descriptor;
}

}  // namespace

Sockets::Sockets(CURLM* multi)
    : multi_(multi),
      epoll_(OrAbort(epoll_create1(EPOLL_CLOEXEC))),
      wakeup_(OrAbort(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Sockets::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, static_cast<void*>(this));
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Sockets::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, static_cast<void*>(this));
  Watch(wakeup_, EPOLLIN);
}

Sockets::~Sockets() {
  close(wakeup_);
  close(epoll_);
}

Sockets::Socket& Sockets::At(curl_socket_t socket) {
  const auto index = static_cast<size_t>(socket);
  if (index >= sockets_.size()) sockets_.resize(std::max(index + 1, 2 * sockets_.size()));
  return sockets_[index];
}

curl_socket_t Sockets::Open(const curl_sockaddr& address, bool more) {
  const int fd = socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  At(fd) = Socket{.connection = true, .more = more};
  return fd;
}

int Sockets::OnClose(void* self_pointer, curl_socket_t socket) {
  auto* self = static_cast<Sockets*>(self_pointer);
  Socket& state = self->At(socket);
  // One that nothing was read from was not connected.
  if (state.more && (state.watched & EPOLLIN) == 0) self->next_address_due_ = true;
  state = Socket{};  // closing takes it out of the set
  return close(socket);
}

void Sockets::Watch(curl_socket_t socket, uint32_t events) {
  Socket& state = At(socket);
  state.wanted = events;
  if (state.in_set && state.watched == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  epoll_ctl(epoll_, state.in_set ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  state.in_set = true;
  state.watched = events;
}

void Sockets::Leave(curl_socket_t socket) {
  Socket& state = At(socket);
  if (state.in_set) epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
  state.in_set = false;
}

int Sockets::OnSocket(CURL*, curl_socket_t socket, int what, void* self_pointer, void*) {
  auto* self = static_cast<Sockets*>(self_pointer);
  if (what != CURL_POLL_REMOVE) {
    self->Watch(socket, EventsFor(what));
    return 0;
  }
  Socket& state = self->At(socket);
  state.wanted = 0;
  // Always writable: it would end every wait.
  if (!state.connection || (state.watched & EPOLLOUT) != 0) self->Leave(socket);
  return 0;
}

int Sockets::OnTimer(CURLM*, long milliseconds, void* self_pointer) {
  static_cast<Sockets*>(self_pointer)->timer_ =
      milliseconds < 0 ? absl::InfiniteDuration()
                       : MonotonicNow() + absl::Milliseconds(milliseconds);
  return 0;
}

void Sockets::Wait(absl::Duration timeout) {
  timeout = std::clamp(timer_ - MonotonicNow(), absl::ZeroDuration(), timeout);
  // Up, or a timer that expires within a millisecond would be waited for in circles.
  const auto milliseconds =
      static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1))));
  ready_ = std::max(0, epoll_wait(epoll_, events_.data(), kEventsAtOnce, milliseconds));
}

void Sockets::Wakeup() { eventfd_write(wakeup_, 1); }

void Sockets::Act() {
  int running = 0;
  for (int i = 0; i < ready_; ++i) {
    const curl_socket_t socket = events_[static_cast<size_t>(i)].data.fd;
    if (socket == wakeup_) {
      eventfd_t count;
      eventfd_read(wakeup_, &count);
    } else if (At(socket).wanted != 0) {
      curl_multi_socket_action(multi_, socket, BitsOf(events_[static_cast<size_t>(i)].events),
                               &running);
    } else {
      // Its other side closed it, or sent what nobody asked for: libcurl sees that for itself when
      // it wants to use it again.
      Leave(socket);
    }
  }
  ready_ = 0;
  if (timer_ <= MonotonicNow()) {
    timer_ = absl::InfiniteDuration();
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

void Sockets::ActOnAll() {
  int running = 0;
  next_address_due_ = false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  // Deprecated because it costs as much as there are transfers, which is what is asked for.
  curl_multi_socket_all(multi_, &running);
#pragma GCC diagnostic pop
}

}  // namespace postrider::http
