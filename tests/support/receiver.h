#ifndef POSTRIDER_TESTS_SUPPORT_RECEIVER_H_
#define POSTRIDER_TESTS_SUPPORT_RECEIVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/support/received_request.h"
#include "tests/support/wait.h"

namespace postrider::testing {

// What a receiver does with one request. Its parts, in the order in which they happen:
struct Answer {
  bool hold = false;     // Waits for Release() first.
  absl::Duration delay;  // Then waits this long.
  bool drop = false;     // Then closes the connection without an answer,
  std::string raw;       // or sends these bytes as they are, if any,
  int status = 200;      // or an answer of this status,
  HeaderLines headers;   // these headers (`content-length` is added) and
  std::string body;      // this body.
  bool close = false;    // Then closes the connection.
};

// A real HTTP/1.1 receiver on a port of its own of 127.0.0.1, run by one thread. It records every
// request before it answers, in the order of their arrival.
//
// Answers 200 unless told otherwise. Thread-safe.
class Receiver {
 public:
  using Answerer = std::function<Answer(const ReceivedRequest&)>;

  // On a loopback address, and a port that is free there (0: any).
  explicit Receiver(std::string host = "127.0.0.1", uint16_t port = 0);
  ~Receiver();

  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  uint16_t port() const { return port_; }

  // `http://HOST:PORT/PATH`; `path` begins with a slash.
  std::string Url(absl::string_view path = "/hook") const;

  // How requests from now on are answered; called in the receiver's thread.
  void AnswerBy(Answerer answerer) ABSL_LOCKS_EXCLUDED(mu_);
  void AlwaysAnswer(Answer answer);
  // The first requests from now on in turn, then all with the last of them.
  void AnswerInTurn(std::vector<Answer> answers);

  // Lets go what is held, and holds nothing any more.
  void Release() ABSL_LOCKS_EXCLUDED(mu_);

  // Everything received so far; with `target`, only what was sent to that path.
  std::vector<ReceivedRequest> Requests() const ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<ReceivedRequest> RequestsTo(absl::string_view target) const;

  // Waits until `condition` holds for what was received; whether it does.
  bool WaitFor(absl::FunctionRef<bool(const std::vector<ReceivedRequest>&)> condition,
               absl::Duration timeout = kPatience) const ABSL_LOCKS_EXCLUDED(mu_);

  // Waits for the first `count` requests, and returns all that came until then: fewer than `count`
  // when the time was up.
  std::vector<ReceivedRequest> WaitForRequests(size_t count,
                                               absl::Duration timeout = kPatience) const;

  // True if no more than `count` requests are there after `timeout`.
  bool StaysAt(size_t count, absl::Duration timeout = kQuiet) const;

  // Requests without an answer: now, the most there ever were to one path, and a wait for that many
  // or more (for 0: for none).
  int Unanswered() const ABSL_LOCKS_EXCLUDED(mu_);
  int MostUnanswered(absl::string_view target = "/hook") const ABSL_LOCKS_EXCLUDED(mu_);
  bool WaitForUnanswered(int count, absl::Duration timeout = kPatience) const
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Connection;

  void Run();
  void Accept();
  // False when the connection is over.
  bool Read(Connection& connection);
  bool TakeRequest(Connection& connection) ABSL_LOCKS_EXCLUDED(mu_);
  bool AnswerIfDue(Connection& connection) ABSL_LOCKS_EXCLUDED(mu_);
  bool Write(Connection& connection);
  void Forget(const Connection& connection) ABSL_LOCKS_EXCLUDED(mu_);
  int PollTimeoutMs() const;
  void Wake();

  int listener_ = -1;
  int wake_ = -1;
  const std::string host_;
  uint16_t port_;

  // Of the thread alone.
  std::vector<std::unique_ptr<Connection>> connections_;
  int connection_count_ = 0;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool holding_ ABSL_GUARDED_BY(mu_) = true;
  std::shared_ptr<const Answerer> answerer_ ABSL_GUARDED_BY(mu_);
  std::vector<ReceivedRequest> requests_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int, std::less<>> unanswered_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int, std::less<>> most_unanswered_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

// A port of 127.0.0.1 on which nobody listens, so connections to it are refused.
uint16_t RefusingPort();

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_RECEIVER_H_
