// Internal to server/http: includes libcurl.
#ifndef POSTRIDER_SERVER_HTTP_SOCKETS_H_
#define POSTRIDER_SERVER_HTTP_SOCKETS_H_

#include <curl/curl.h>
#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "server/runtime/clock.h"

namespace postrider::http {

// The sockets and the timer of a multi handle, waited for with epoll. A connection stays in the set
// from its first use to its end: between two requests libcurl wants nothing of it, but taking it
// out and putting it back would be two system calls a request. So what a turn costs follows what
// happens, not how many transfers wait. One thread uses it, but for Wakeup().
class Sockets {
 public:
  // Must outlive the connections of `multi`, which it becomes part of.
  explicit Sockets(CURLM* multi);
  ~Sockets();

  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  // As CURLOPT_CLOSESOCKETFUNCTION, with the Sockets as its data, of every handle whose connections
  // come from Open.
  static int OnClose(void* self, curl_socket_t socket);
  // A new socket, or CURL_SOCKET_BAD with errno. `more`: its host may have another address, to try
  // when this one cannot be connected to.
  curl_socket_t Open(const curl_sockaddr& address, bool more);

  // Waits until a socket is ready, libcurl's timer has expired, or Wakeup() was called; at most for
  // `timeout`.
  void Wait(absl::Duration timeout);
  // Ends the current or the next Wait(). Any thread.
  void Wakeup();
  // Lets libcurl do what there is to do: what Wait() saw, and what its timer says.
  void Act();
  // Lets libcurl look at every transfer.
  void ActOnAll();
  // Whether ActOnAll is due: a connect failed that another address may follow. libcurl closes such
  // a socket, and would try the next address when it is called for that transfer again; but no
  // event comes any more, and of its timers only the one that ends the wait for an address.
  bool next_address_due() const { return next_address_due_; }

 private:
  struct Socket {
    bool connection = false;  // from Open: stays in the set while libcurl wants nothing of it
    bool more = false;        // as given to Open
    bool in_set = false;
    uint32_t watched = 0;  // events, as in the set
    uint32_t wanted = 0;   // by libcurl
  };

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* socket_data);
  static int OnTimer(CURLM* multi, long milliseconds, void* self);

  Socket& At(curl_socket_t socket);
  void Watch(curl_socket_t socket, uint32_t events);
  void Leave(curl_socket_t socket);

  static constexpr size_t kEventsAtOnce = 256;

  CURLM* const multi_;
  const int epoll_;
  const int wakeup_;             // an eventfd
  std::vector<Socket> sockets_;  // by descriptor
  Instant timer_ = absl::InfiniteDuration();
  std::array<epoll_event, kEventsAtOnce> events_;
  int ready_ = 0;  // of events_
  bool next_address_due_ = false;
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_SOCKETS_H_
