// HTTP/2 as bytes, for what gRPC's own client never does.

#pragma once

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace postrider::testing {

// A connection to the server at 127.0.0.1:PORT, its preface sent. Not thread-safe.
class Http2Connection {
 public:
  explicit Http2Connection(const std::string& address);
  ~Http2Connection();

  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  void Ping();
  // Waits for the server's SETTINGS, and acknowledges them: from then on they hold.
  void TakeSettings();
  // Opens the stream of this odd number with a call that says nothing yet. False: the connection
  // is over.
  bool OpenStream(int number, const char* method);
  // Ends our side of it with an empty message.
  bool SendEmptyAndEnd(int number);
  // Whether the server ends the connection, in time.
  bool IsClosed();
  // Everything until the server closes the connection.
  std::string ReadToEnd();
  // Reads until the server has ended that many streams, or the time is over. How many it ended.
  size_t AwaitEnded(size_t streams, absl::Duration timeout);

 private:
  bool Send(absl::string_view bytes);
  // Takes whole frames out of what was read.
  void TakeFrames();

  const int fd_;
  std::string unread_;
  std::set<int> ended_;
};

}  // namespace postrider::testing
