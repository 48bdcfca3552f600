#include "tests/integration/callers/http2_connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

// RFC 9113, sections 4.1 and 6.
constexpr size_t kFrameHeaderBytes = 9;
constexpr uint8_t kData = 0;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kResetStream = 3;
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kEndHeaders = 4;
// Of gRPC: whether it is compressed, and its length.
constexpr size_t kMessageHeaderBytes = 5;

std::string FrameHeader(size_t length, uint8_t type, uint8_t flags, int stream) {
  std::string header(kFrameHeaderBytes, '\0');
  for (int i = 0; i < 3; ++i) header[2 - i] = static_cast<char>(length >> (8 * i));
  header[3] = static_cast<char>(type);
  header[4] = static_cast<char>(flags);
  for (int i = 0; i < 4; ++i) header[8 - i] = static_cast<char>(stream >> (8 * i));
  return header;
}

}  // namespace

Http2Connection::Http2Connection(const std::string& address)
    : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  target.sin_port = htons(static_cast<uint16_t>(port));
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&target), sizeof(target)), 0);
  const timeval patience{10, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  // The preface and empty SETTINGS (RFC 9113, section 3.4).
  Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Send(absl::string_view("\0\0\0\4\0\0\0\0\0", 9));
}

Http2Connection::~Http2Connection() { close(fd_); }

void Http2Connection::Ping() { Send(absl::string_view("\0\0\10\6\0\0\0\0\0pingping", 17)); }

void Http2Connection::TakeSettings() {
  char first = 0;
  EXPECT_EQ(recv(fd_, &first, 1, MSG_PEEK), 1);
  Send(absl::string_view("\0\0\0\4\1\0\0\0\0", 9));
}

bool Http2Connection::OpenStream(int number, const char* method) {
  // HPACK (RFC 7541): POST and http by their numbers in the table, the rest as it is.
  std::string block = "\x83\x86";
  for (const auto& [name, value] :
       {std::pair(":path", method), std::pair(":authority", "localhost"),
        std::pair("content-type", "application/grpc"), std::pair("te", "trailers")}) {
    for (const std::string text : {name, value}) {
      if (text == name) block.push_back('\0');
      block.push_back(static_cast<char>(text.size()));
      block += text;
    }
  }
  return Send(FrameHeader(block.size(), kHeaders, kEndHeaders, number) + block);
}

bool Http2Connection::SendEmptyAndEnd(int number) {
  const std::string message(kMessageHeaderBytes, '\0');
  return Send(FrameHeader(message.size(), kData, kEndStream, number) + message);
}

bool Http2Connection::IsClosed() {
  char buffer[4096];
  ssize_t got = 0;
  while ((got = recv(fd_, buffer, sizeof(buffer), 0)) > 0) {
  }
  return got == 0 || errno == ECONNRESET;
}

std::string Http2Connection::ReadToEnd() {
  std::string all;
  char buffer[4096];
  for (ssize_t got; (got = recv(fd_, buffer, sizeof(buffer), 0)) > 0;) {
    all.append(buffer, static_cast<size_t>(got));
  }
  return all;
}

size_t Http2Connection::AwaitEnded(size_t streams, absl::Duration timeout) {
  const Deadline deadline(timeout);
  while (ended_.size() < streams && !deadline.Passed()) {
    pollfd readable{fd_, POLLIN, 0};
    if (poll(&readable, 1, 100) <= 0) continue;
    char buffer[16384];
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
    if (got <= 0) break;
    unread_.append(buffer, static_cast<size_t>(got));
    TakeFrames();
  }
  return ended_.size();
}

void Http2Connection::TakeFrames() {
  const auto byte = [this](size_t at) { return static_cast<uint8_t>(unread_[at]); };
  while (unread_.size() >= kFrameHeaderBytes) {
    const size_t length = static_cast<size_t>(byte(0) << 16 | byte(1) << 8 | byte(2));
    if (unread_.size() < kFrameHeaderBytes + length) return;
    const uint8_t type = byte(3);
    const bool ends = type == kResetStream || (type == kHeaders && (byte(4) & kEndStream) != 0);
    if (ends) ended_.insert((byte(5) & 0x7f) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8));
    unread_.erase(0, kFrameHeaderBytes + length);
  }
}

bool Http2Connection::Send(absl::string_view bytes) {
  return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0;
}

}  // namespace postrider::testing
