#include "tools/postrider/receiver_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace postrider::cli {
namespace {

constexpr size_t kReadBytes = 64 * 1024;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

ReceiverConnection::~ReceiverConnection() { close(socket_); }

short ReceiverConnection::events() const { return output_.empty() ? POLLIN : POLLOUT; }

bool ReceiverConnection::Advance(absl::Time now, Answerer answer) {
  if (output_.empty() && !Read()) return false;
  if (!is_lingering_) deadline_ = now + kIdleTimeout;
  // One answer at a time: the next request is looked at when the last answer is out.
  while (true) {
    if (output_.empty() && !is_closing_) Process(answer);
    if (output_.empty()) break;
    if (!Write()) return false;
    if (!output_.empty()) return true;
  }
  if (is_closing_ && !is_lingering_) {
    shutdown(socket_, SHUT_WR);
    is_lingering_ = true;
    deadline_ = now + kLingerTimeout;
  }
  return true;
}

bool ReceiverConnection::Read() {
  char bytes[kReadBytes];
  const ssize_t size = recv(socket_, bytes, sizeof(bytes), 0);
  if (size < 0) return WouldBlock();
  if (size == 0) return false;
  if (!is_closing_) input_.append(bytes, size);
  return true;
}

bool ReceiverConnection::Write() {
  const ssize_t size = send(socket_, output_.data(), output_.size(), MSG_NOSIGNAL);
  if (size < 0) return WouldBlock();
  output_.erase(0, size);
  return true;
}

void ReceiverConnection::Process(Answerer answer) {
  std::variant<NeedMore, Refused, Complete> read = ReadRequest(input_);
  if (const auto* more = std::get_if<NeedMore>(&read)) {
    if (more->expects_continue && !has_sent_continue_) {
      has_sent_continue_ = true;
      output_ = "HTTP/1.1 100 Continue\r\n\r\n";
    }
    return;
  }
  has_sent_continue_ = false;
  if (auto* refused = std::get_if<Refused>(&read)) {
    is_closing_ = true;
    input_.clear();
    output_ = answer(std::move(*refused));
    return;
  }
  auto& complete = std::get<Complete>(read);
  input_.erase(0, complete.bytes);
  is_closing_ = !complete.request.keep_alive;
  output_ = answer(std::move(complete));
}

}  // namespace postrider::cli
