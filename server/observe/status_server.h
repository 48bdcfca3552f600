// A very small HTTP server for machines that ask whether this one is well ("status" thread):
//   GET /healthz  200 while the process runs
//   GET /readyz   200 while it can do its work, else 503; the body says what is wrong in one line
// One connection at a time, each closed after its answer and cut after two seconds.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/runtime/thread.h"

namespace postrider::observe {

struct Readiness {
  bool ready = false;
  std::string says;  // one line
};

class StatusServer {
 public:
  // `address` is HOST:PORT, port 0 any free one. UNAVAILABLE when it cannot be had.
  static absl::StatusOr<std::unique_ptr<StatusServer>> Start(const std::string& address,
                                                             std::function<Readiness()> ready);
  ~StatusServer();

  const std::string& address() const { return address_; }

 private:
  StatusServer() = default;
  void Run();
  void Answer(int connection);

  std::function<Readiness()> ready_;
  std::string address_;
  int listener_ = -1;
  int wake_ = -1;  // eventfd: the end
  NamedThread thread_;
};

}  // namespace postrider::observe
