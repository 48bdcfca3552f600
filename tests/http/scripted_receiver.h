#ifndef POSTRIDER_TESTS_HTTP_SCRIPTED_RECEIVER_H_
#define POSTRIDER_TESTS_HTTP_SCRIPTED_RECEIVER_H_

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace postrider::http {

// An HTTP receiver that does what a script says, byte by byte: every accepted connection runs the
// script on a thread of its own. Stops and joins everything when destroyed.
class ScriptedReceiver {
 public:
  // One accepted connection, seen from the script.
  class Connection {
   public:
    // Reads one request with a Content-Length body; false at the end of the connection.
    bool ReadRequest();
    // Of the request that was read last.
    const std::string& head() const { return head_; }
    const std::string& body() const { return body_; }

    // False if the other side has closed.
    bool Send(std::string_view bytes);
    // Returns when the other side has closed.
    void WaitForClose();
    // Closes with RST instead of FIN when the script ends.
    void ResetAtEnd();
    // Sends these bytes again and again, each after a pause; false when the other side has closed.
    bool Drip(std::string_view bytes, std::chrono::milliseconds pause);
    // The socket, for scripts that speak something else on it. Stays the receiver's.
    int fd() const { return fd_; }

    // Takes the place of the bare socket: for TLS. As recv(2) and send(2).
    struct Transport {
      std::function<ssize_t(char*, size_t)> receive;
      std::function<ssize_t(const char*, size_t)> send;
    };
    void SetTransport(Transport transport) { transport_ = std::move(transport); }

   private:
    friend class ScriptedReceiver;
    Connection(int fd, ScriptedReceiver* receiver);
    bool ReadMore();

    const int fd_;
    ScriptedReceiver* const receiver_;
    Transport transport_;
    std::string buffer_;
    std::string head_;
    std::string body_;
  };

  using Script = std::function<void(Connection&)>;

  // On 127.0.0.1 or another IPv4 or IPv6 address of this machine; port 0 is any free one.
  explicit ScriptedReceiver(Script script, const std::string& address = "127.0.0.1", int port = 0);
  ~ScriptedReceiver();

  ScriptedReceiver(const ScriptedReceiver&) = delete;
  ScriptedReceiver& operator=(const ScriptedReceiver&) = delete;

  int port() const { return port_; }
  // "http://127.0.0.1:<port>/hook"
  std::string url() const;

  int connections() const { return connections_; }
  int requests() const { return requests_; }
  // Returns when no script runs and every connection so far is closed; false after 30 s.
  bool AwaitAllClosed();

 private:
  void Accept();
  void Serve(int fd);

  const Script script_;
  int listen_fd_;
  int port_;
  std::atomic<int> connections_{0};
  std::atomic<int> requests_{0};
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread accept_thread_;
};

// A port of 127.0.0.1 on which nobody listens.
int UnusedPort();

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_SCRIPTED_RECEIVER_H_
