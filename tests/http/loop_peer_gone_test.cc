// A receiver that resets the connection between the end of its making and the request. The library
// then learns no address of the other side, which looks like a denied one and is none.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "tests/http/loop_harness.h"
#include "tests/http/scripted_receiver.h"

namespace {

// Set: every other side is gone.
std::atomic<bool> peers_are_gone = false;

}  // namespace

// Takes the place of the C library's, which libcurl asks once a connection is made.
extern "C" int getpeername(int socket, struct sockaddr* address, socklen_t* length) noexcept {
  if (peers_are_gone) {
    errno = ENOTCONN;
    return -1;
  }
  return static_cast<int>(syscall(SYS_getpeername, socket, address, length));
}

namespace postrider::http {
namespace {

using Connection = ScriptedReceiver::Connection;

TEST(LoopPeerGoneTest, AResetBeforeTheRequestIsAFailedConnectionAndNotADeniedOne) {
  ScriptedReceiver receiver([](Connection& c) {
    while (c.ReadRequest() && c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
    }
  });
  LoopHarness harness;
  peers_are_gone = true;
  const Result result = harness.Post(receiver.url());
  peers_are_gone = false;
  EXPECT_EQ(result.error, TransferError::kConnection) << result.error_text;
  EXPECT_EQ(result.error_text, "the connection was closed before the request was sent");
  EXPECT_EQ(result.send_count, 0);
  EXPECT_EQ(result.remote_address, "");
  // What is left of it is not used again.
  EXPECT_EQ(harness.Post(receiver.url()).status, 200);
  EXPECT_EQ(receiver.requests(), 1);
}

}  // namespace
}  // namespace postrider::http
