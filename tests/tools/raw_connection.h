// A TCP connection for tests that send bytes no HTTP library would.

#ifndef POSTRIDER_TESTS_TOOLS_RAW_CONNECTION_H_
#define POSTRIDER_TESTS_TOOLS_RAW_CONNECTION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace postrider::cli {

struct RawResponse {
  int status = 0;  // 0: the connection ended before a response
  std::string head;
  std::string body;
};

// Gives up on a read after 20 s, as if the connection had ended. Not thread-safe.
class RawConnection {
 public:
  // To the port of 127.0.0.1.
  explicit RawConnection(int port);
  ~RawConnection();

  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  bool is_connected() const { return is_connected_; }

  // Sends as much as the other side takes before it closes.
  void Send(absl::string_view bytes);

  // The next response, by its Content-Length.
  RawResponse ReadResponse();

  // True if something to read is already here.
  bool HasInput() const;

  // True if the other side ends the connection with nothing more to read.
  bool IsClosed();

 private:
  bool Fill();

  int socket_ = -1;
  bool is_connected_ = false;
  std::string input_;
};

}  // namespace postrider::cli

#endif  // POSTRIDER_TESTS_TOOLS_RAW_CONNECTION_H_
