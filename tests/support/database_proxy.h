#ifndef POSTRIDER_TESTS_SUPPORT_DATABASE_PROXY_H_
#define POSTRIDER_TESTS_SUPPORT_DATABASE_PROXY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/support/wait.h"

namespace postrider::testing {

// Stands between servers and their PostgreSQL, on a TCP port of its own of 127.0.0.1, and does what
// networks do: delays, cuts, falls silent. It reads PostgreSQL's protocol so far as to cut a
// connection at one moment of one statement. Run by one thread; what waits in it is at most 256 KiB
// a direction of a connection. Thread-safe.
class DatabaseProxy {
 public:
  // `conninfo` as a TestCluster gives it, with a Unix socket: where PostgreSQL is.
  explicit DatabaseProxy(absl::string_view conninfo);
  ~DatabaseProxy();

  DatabaseProxy(const DatabaseProxy&) = delete;
  DatabaseProxy& operator=(const DatabaseProxy&) = delete;

  // The same database by way of the proxy.
  const std::string& conninfo() const { return conninfo_; }
  uint16_t port() const { return port_; }

  // How connections are treated from now on, those that there are included.
  enum class Mode {
    kForward,
    kSilent,  // New ones are taken, and no byte goes anywhere: what was on its way waits.
    kRefuse,  // All are closed, new ones too.
  };
  void Set(Mode mode) ABSL_LOCKS_EXCLUDED(mu_);

  // Every byte from now on comes this much later, in each direction.
  void Delay(absl::Duration delay) ABSL_LOCKS_EXCLUDED(mu_);

  // Closes all connections that there are.
  void CutAll() ABSL_LOCKS_EXCLUDED(mu_);

  // When the connection breaks that sends a statement.
  enum class Moment {
    kBeforeStatement,  // PostgreSQL never hears of it.
    kWithStatement,    // PostgreSQL has it, and nobody waits for its answer.
    kBeforeAnswer,     // PostgreSQL has done it and said so; the answer is lost.
  };
  // Breaks the next `count` connections that run `statement`: the name of a prepared one
  // ("accept_store"), or the text of a simple query ("COMMIT"). Takes the place of cuts that have
  // not happened yet.
  void CutAt(absl::string_view statement, Moment moment, int count) ABSL_LOCKS_EXCLUDED(mu_);

  // Cuts of CutAt that have happened, and a wait for that many.
  int cuts() const ABSL_LOCKS_EXCLUDED(mu_);
  bool WaitForCuts(int count, absl::Duration timeout = kPatience) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Connection;

  void Run();
  void Accept() ABSL_LOCKS_EXCLUDED(mu_);
  bool Serve(Connection& connection, short client_events, short server_events)
      ABSL_LOCKS_EXCLUDED(mu_);
  bool TakeFromClient(Connection& connection) ABSL_LOCKS_EXCLUDED(mu_);
  bool TakeFromServer(Connection& connection) ABSL_LOCKS_EXCLUDED(mu_);
  void CountCut() ABSL_LOCKS_EXCLUDED(mu_);
  void Wake();

  std::string conninfo_;
  std::string socket_path_;
  uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;

  // Of the thread alone.
  std::vector<std::unique_ptr<Connection>> connections_;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  Mode mode_ ABSL_GUARDED_BY(mu_) = Mode::kForward;
  absl::Duration delay_ ABSL_GUARDED_BY(mu_);
  bool cut_all_ ABSL_GUARDED_BY(mu_) = false;
  std::string cut_statement_ ABSL_GUARDED_BY(mu_);
  Moment cut_moment_ ABSL_GUARDED_BY(mu_) = Moment::kBeforeStatement;
  int cuts_left_ ABSL_GUARDED_BY(mu_) = 0;
  int cuts_ ABSL_GUARDED_BY(mu_) = 0;

  std::thread thread_;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_DATABASE_PROXY_H_
