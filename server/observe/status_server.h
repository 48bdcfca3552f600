// A very small HTTP server for machines that ask whether this one is well ("status" thread):
//   GET /healthz  200 while the process runs
//   GET /readyz   200 while it can do its work, else 503; the body says what is wrong in one line
// Each connection is closed after its answer, and after kPatience whatever came by then. Nobody
// waits behind another: beyond kMaxConnections the oldest makes room.

#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/runtime/clock.h"
#include "server/runtime/thread.h"

namespace postrider::observe {

struct Readiness {
  bool ready = false;
  std::string says;  // one line
};

class StatusServer {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(2);
  static constexpr size_t kMaxConnections = 64;

  // `address` is HOST:PORT, port 0 any free one. UNAVAILABLE when it cannot be had.
  static absl::StatusOr<std::unique_ptr<StatusServer>> Start(const std::string& address,
                                                             std::function<Readiness()> ready);
  // Cuts whoever is connected.
  ~StatusServer();

  const std::string& address() const { return address_; }

 private:
  // One that has not said all of its request yet.
  struct Connection {
    int fd;
    Instant until;
    std::string request;
  };

  StatusServer() = default;
  void Run();
  void Accept();
  // Reads what there is. Whether the connection is over.
  bool Serve(Connection& connection);
  std::string AnswerTo(const std::string& request) const;

  std::function<Readiness()> ready_;
  std::string address_;
  int listener_ = -1;
  int wake_ = -1;                       // eventfd: the end
  std::deque<Connection> connections_;  // oldest first
  Instant accept_after_ = absl::ZeroDuration();
  NamedThread thread_;
};

}  // namespace postrider::observe
