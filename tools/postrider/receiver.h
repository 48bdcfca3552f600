// A small HTTP/1.1 server on one thread, for trying webhooks out. Not for the open internet.

#ifndef POSTRIDER_TOOLS_POSTRIDER_RECEIVER_H_
#define POSTRIDER_TOOLS_POSTRIDER_RECEIVER_H_

#include <cstddef>
#include <functional>
#include <list>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/postrider/http_request.h"
#include "tools/postrider/received.h"
#include "tools/postrider/receiver_connection.h"

namespace postrider::cli {

// Connections at once; further ones wait in the system's queue until one ends.
inline constexpr size_t kMaxConnections = 256;

// Listens from its creation on. Not thread-safe.
class Receiver {
 public:
  // Judges a request and keeps what it wants of it.
  using Judgement = std::function<Received(const std::variant<Refused, Complete>&)>;

  // Listens at `address`, a name or number, and `port`; 0 takes a free one. UNAVAILABLE with a
  // sentence if that cannot be.
  static absl::StatusOr<Receiver> Listen(const std::string& address, int port);

  Receiver(Receiver&& other) noexcept;
  Receiver& operator=(Receiver&&) = delete;
  ~Receiver();

  // `http://127.0.0.1:8080`
  const std::string& url() const { return url_; }

  // Serves until `stop_fd` is readable or `is_done`, asked after every turn, says so; answers that
  // are under way then are still sent, for a second at most. INTERNAL if the system refuses to
  // poll.
  absl::Status Serve(int stop_fd, const Judgement& judge, const std::function<bool()>& is_done);

 private:
  Receiver(int listener, std::string url);

  void Accept(absl::Time now);
  // Gives every connection that poll reported its turn, and ends those that are over.
  void AdvanceAll(const std::vector<short>& reported, absl::Time now, const Judgement& judge);
  absl::StatusOr<bool> Turn(int stop_fd, absl::Time until, bool accepts, const Judgement& judge);
  bool HasOutput() const;

  int listener_;
  std::string url_;
  std::list<ReceiverConnection> connections_;
};

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_RECEIVER_H_
