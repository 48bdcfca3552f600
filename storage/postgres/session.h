// One connection to PostgreSQL that comes back by itself. Every statement has a deadline of our
// own, because a hung backend is ended by nothing else: libpq without blocking, and when the
// deadline has passed the connection is closed, which the server notices within a second.
//
// Errors of Run and Transaction:
// - UNAVAILABLE: no connection, or it broke: whether the statement was committed is unknown. Also
//   when the database is out of disk, memory or connections.
// - DEADLINE_EXCEEDED: our deadline passed: unknown as well; the connection was closed.
// - ABORTED: PR001, deadlock or serialization failure: nothing was stored; may be run again.
// - ALREADY_EXISTS: unique violation: nothing was stored.
// - INTERNAL: anything else the database says: nothing was stored, a mistake of ours.
// Messages hold the SQLSTATE and the primary message of the server, never parameters.
//
// Thread-compatible: one thread at a time.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/postgres/connect.h"
#include "storage/postgres/params.h"
#include "storage/postgres/result.h"
#include "storage/postgres/statement.h"

struct pg_conn;

namespace postrider {

enum class SessionKind {
  // Batches of the delivery path: prepared statements whose plans must not depend on how big tables
  // were when they were made (docs/ARCHITECTURE.md, planner traps).
  kHot,
  // Management, lists and maintenance: planned anew each time, with the values at hand.
  kGeneral,
};

struct SessionOptions {
  std::string conninfo;  // libpq URI or keywords, several hosts allowed
  SessionKind kind = SessionKind::kGeneral;
  std::string application_name = "postriderd";
  absl::Duration connect_timeout = absl::Seconds(5);     // to one host; connect.h
  absl::Duration statement_timeout = absl::Seconds(10);  // default deadline of a statement
  // Called with "ADDRESS:PORT" or "[ADDRESS]:PORT" of the server after every connect over TCP, on
  // the thread that connects.
  std::function<void(const std::string&)> on_connect;
};

class Session {
 public:
  explicit Session(SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs one statement, as its own transaction unless one is open. Connects when not connected.
  absl::StatusOr<Result> Run(const Statement& statement, const Params& params = {});
  absl::StatusOr<Result> Run(const Statement& statement, const Params& params,
                             absl::Duration timeout);
  // Text of our own without parameters (SET, migrations); may hold several statements.
  absl::Status Execute(const char* sql, absl::Duration timeout);

  // Runs `body` between BEGIN and COMMIT; rolls back when it gives an error. An ABORTED body is run
  // again up to three times.
  absl::Status Transaction(const std::function<absl::Status(Session&)>& body);

  bool connected() const { return conn_ != nullptr; }
  // Statements sent since the start, for the test that counts them.
  int64_t statements() const { return statements_; }
  void Close();

 private:
  // Whether there is a connection that PostgreSQL has not ended while nobody was using it.
  bool Usable();
  absl::Status Connect();
  void ReportServer() const;
  absl::Status Prepare(const Statement& statement);
  absl::StatusOr<Result> Await(absl::Duration timeout);
  absl::Status Broken(const char* what);

  const SessionOptions options_;
  Connector connector_;
  pg_conn* conn_ = nullptr;
  std::unordered_set<const char*> prepared_;
  bool replication_unknown_ = false;  // COMMIT returned although the standby was not waited for
  int64_t statements_ = 0;
};

}  // namespace postrider
