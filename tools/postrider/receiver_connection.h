// One connection of the receiver: bytes in, requests to a function, responses out.

#ifndef POSTRIDER_TOOLS_POSTRIDER_RECEIVER_CONNECTION_H_
#define POSTRIDER_TOOLS_POSTRIDER_RECEIVER_CONNECTION_H_

#include <string>
#include <variant>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "tools/postrider/http_request.h"

namespace postrider::cli {

// A connection that says nothing for this long is closed.
inline constexpr absl::Duration kIdleTimeout = absl::Seconds(60);

// How long the rest of a refused request is read away, so that the refusal is not lost to a reset.
inline constexpr absl::Duration kLingerTimeout = absl::Seconds(2);

// Given a request, or why one could not be read; returns the whole response.
using Answerer = absl::FunctionRef<std::string(const std::variant<Refused, Complete>&)>;

// A non-blocking socket, which it owns. Reads nothing while a response waits to be sent, so what it
// holds is at most one request of the largest size and its answer. Not thread-safe.
class ReceiverConnection {
 public:
  ReceiverConnection(int socket, absl::Time now) : socket_(socket), deadline_(now + kIdleTimeout) {}
  ~ReceiverConnection();

  ReceiverConnection(const ReceiverConnection&) = delete;
  ReceiverConnection& operator=(const ReceiverConnection&) = delete;

  int socket() const { return socket_; }
  short events() const;  // what poll is to wait for
  bool has_output() const { return !output_.empty(); }
  absl::Time deadline() const { return deadline_; }

  // Reads and writes what can be without waiting. False: the connection is over; destroy it. To be
  // called when poll reports the socket.
  bool Advance(absl::Time now, Answerer answer);

 private:
  bool Read();
  bool Write();
  void Process(Answerer answer);

  const int socket_;
  absl::Time deadline_;
  std::string input_;
  std::string output_;
  bool has_sent_continue_ = false;
  bool is_closing_ = false;    // nothing more is answered
  bool is_lingering_ = false;  // our side is shut; reads are thrown away until the other is
};

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_RECEIVER_CONNECTION_H_
