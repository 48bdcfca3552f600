#include "storage/postgres/session.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/postgres/wait.h"

namespace postrider {
namespace {

std::string FirstLine(const char* text) {
  std::string_view view(text == nullptr ? "" : text);
  view = view.substr(0, view.find('\n'));
  return std::string(view);
}

absl::Status ErrorOf(const PGresult* result) {
  const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string sqlstate = field == nullptr ? "" : field;
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const std::string message =
      absl::StrCat("PostgreSQL says: ", primary == nullptr ? "nothing" : primary,
                   sqlstate.empty() ? "" : absl::StrCat(" (", sqlstate, ")"));
  // No SQLSTATE: libpq made the error itself because the connection went away.
  // 53 is a full disk, no memory, too many connections: the server is there and cannot.
  if (sqlstate.empty() || sqlstate.starts_with("57P") || sqlstate.starts_with("08") ||
      sqlstate.starts_with("53") || sqlstate == "25006" || sqlstate == "57014") {
    return absl::UnavailableError(message);
  }
  if (sqlstate == "PR001" || sqlstate.starts_with("40")) return absl::AbortedError(message);
  if (sqlstate == "23505") return absl::AlreadyExistsError(message);
  return absl::InternalError(message);
}

// PostgreSQL reports a cancelled wait for the standby as a mere warning of a COMMIT that worked.
void OnNotice(void* flag, const PGresult* notice) {
  const char* message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  const char* detail = PQresultErrorField(notice, PG_DIAG_MESSAGE_DETAIL);
  for (const char* text : {message, detail}) {
    if (text != nullptr && absl::StrContains(text, "replicat")) *static_cast<bool*>(flag) = true;
  }
}

constexpr char kCommonSettings[] =
    "SET timezone = 'UTC'; SET jit = off; SET client_min_messages = warning;"
    "SET idle_in_transaction_session_timeout = '60s';"
    "SET client_connection_check_interval = '1s'";
constexpr char kHotSettings[] =
    "SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off;"
    "SET enable_mergejoin = off; SET enable_seqscan = off; SET work_mem = '64MB'";

}  // namespace

Session::Session(SessionOptions options)
    : options_(std::move(options)), connector_(options_.conninfo, options_.application_name) {}

Session::~Session() { Close(); }

void Session::Close() {
  if (conn_ != nullptr) PQfinish(conn_);
  conn_ = nullptr;
  prepared_.clear();
}

bool Session::Usable() {
  if (conn_ == nullptr) return false;
  // A broken transaction is for whoever is in it to see.
  if (PQtransactionStatus(conn_) != PQTRANS_IDLE) return true;
  pollfd descriptor{PQsocket(conn_), POLLIN, 0};
  while (poll(&descriptor, 1, 0) > 0) {
    if (PQconsumeInput(conn_) == 0 || PQstatus(conn_) == CONNECTION_BAD) return false;
  }
  return true;
}

absl::Status Session::Broken(const char* what) {
  const std::string reason = conn_ == nullptr ? "" : FirstLine(PQerrorMessage(conn_));
  Close();
  return absl::UnavailableError(
      absl::StrCat("PostgreSQL is out of reach: ", what, reason.empty() ? "" : ": ", reason));
}

void Session::ReportServer() const {
  const char* const address = PQhostaddr(conn_);
  if (options_.on_connect == nullptr || address == nullptr || *address == '\0') return;
  const bool is_v6 = std::strchr(address, ':') != nullptr;
  options_.on_connect(absl::StrCat(is_v6 ? "[" : "", address, is_v6 ? "]:" : ":", PQport(conn_)));
}

absl::Status Session::Connect() {
  if (Usable()) return absl::OkStatus();
  Close();
  absl::StatusOr<pg_conn*> connected = connector_.Connect(options_.connect_timeout);
  if (!connected.ok()) {
    return absl::UnavailableError(
        absl::StrCat("PostgreSQL is out of reach: ", connected.status().message()));
  }
  conn_ = *connected;
  ReportServer();
  if (PQsetnonblocking(conn_, 1) != 0) return Broken("cannot set up the connection");
  PQsetNoticeReceiver(conn_, OnNotice, &replication_unknown_);
  if (absl::Status status = Execute(kCommonSettings, options_.connect_timeout); !status.ok()) {
    Close();
    return status;
  }
  if (options_.kind == SessionKind::kHot) {
    if (absl::Status status = Execute(kHotSettings, options_.connect_timeout); !status.ok()) {
      Close();
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Result> Session::Await(absl::Duration timeout) {
  const WaitDeadline deadline = DeadlineAfter(timeout);
  ++statements_;
  replication_unknown_ = false;
  PGresult* last = nullptr;
  absl::Cleanup free_last = [&last] { PQclear(last); };
  const auto gave_up = [&]() -> absl::Status {
    // PQcancel would wait for the server, hung or not. Closing is enough: the server looks every
    // second whether its client is still there (client_connection_check_interval).
    Close();
    return absl::DeadlineExceededError(
        absl::StrCat("PostgreSQL did not answer within ", absl::FormatDuration(timeout)));
  };
  for (;;) {
    int unsent = PQflush(conn_);
    if (unsent < 0) return Broken("the connection broke");
    while (PQisBusy(conn_) || unsent > 0) {
      const short events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN);
      if (!WaitForSocket(PQsocket(conn_), events, deadline)) {
        return gave_up();
      }
      if (PQconsumeInput(conn_) == 0) return Broken("the connection broke");
      if (unsent > 0 && (unsent = PQflush(conn_)) < 0) return Broken("the connection broke");
    }
    PGresult* next = PQgetResult(conn_);
    if (next == nullptr) break;
    // The first error counts; a text of several statements stops there anyway.
    if (last != nullptr && PQresultStatus(last) == PGRES_FATAL_ERROR) {
      PQclear(next);
    } else {
      PQclear(last);
      last = next;
    }
  }
  if (last == nullptr) return Broken("no answer");
  if (PQstatus(conn_) == CONNECTION_BAD) return Broken("the connection broke");
  const ExecStatusType status = PQresultStatus(last);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    absl::Status error = ErrorOf(last);
    // A server that is read-only or going down is the wrong one: look for another next time.
    if (absl::IsUnavailable(error)) Close();
    return error;
  }
  if (std::exchange(replication_unknown_, false)) {
    return absl::UnavailableError(
        "PostgreSQL committed here without waiting for its standby: the outcome is unknown");
  }
  Result result(last);
  std::move(free_last).Cancel();
  return result;
}

absl::Status Session::Execute(const char* sql, absl::Duration timeout) {
  if (absl::Status status = Connect(); !status.ok()) return status;
  if (PQsendQuery(conn_, sql) == 0) return Broken("cannot send");
  return Await(timeout).status();
}

absl::Status Session::Prepare(const Statement& statement) {
  if (prepared_.contains(statement.name)) return absl::OkStatus();
  if (PQsendPrepare(conn_, statement.name, statement.text, 0, nullptr) == 0) {
    return Broken("cannot send");
  }
  absl::StatusOr<Result> result = Await(options_.statement_timeout);
  if (!result.ok()) return result.status();
  prepared_.insert(statement.name);
  return absl::OkStatus();
}

absl::StatusOr<Result> Session::Run(const Statement& statement, const Params& params) {
  return Run(statement, params, options_.statement_timeout);
}

absl::StatusOr<Result> Session::Run(const Statement& statement, const Params& params,
                                    absl::Duration timeout) {
  if (absl::Status status = Connect(); !status.ok()) return status;
  constexpr int kMaxParams = 64;
  int formats[kMaxParams];
  std::fill(formats, formats + params.count(), 1);
  if (options_.kind == SessionKind::kHot) {
    if (absl::Status status = Prepare(statement); !status.ok()) return status;
    if (PQsendQueryPrepared(conn_, statement.name, params.count(), params.values(),
                            params.lengths(), formats, /*resultFormat=*/1) == 0) {
      return Broken("cannot send");
    }
  } else if (PQsendQueryParams(conn_, statement.text, params.count(), params.types(),
                               params.values(), params.lengths(), formats,
                               /*resultFormat=*/1) == 0) {
    return Broken("cannot send");
  }
  return Await(timeout);
}

absl::Status Session::Transaction(const std::function<absl::Status(Session&)>& body) {
  constexpr int kAttempts = 3;
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    status = Execute("BEGIN", options_.statement_timeout);
    if (!status.ok()) return status;
    status = body(*this);
    if (status.ok()) {
      // A connection that went away inside the body was replaced outside of the transaction.
      if (conn_ == nullptr || PQtransactionStatus(conn_) != PQTRANS_INTRANS) {
        Close();
        return absl::UnavailableError("the connection to PostgreSQL broke in a transaction");
      }
      return Execute("COMMIT", options_.statement_timeout);
    }
    if (conn_ != nullptr && !Execute("ROLLBACK", options_.statement_timeout).ok()) Close();
    if (!absl::IsAborted(status)) return status;
  }
  return status;
}

}  // namespace postrider
