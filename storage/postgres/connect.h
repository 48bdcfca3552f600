// Finding a PostgreSQL that can be written to, among the hosts of a conninfo. libpq tries several
// hosts by itself, but one that swallows packets takes the whole deadline: here each has its own,
// and the one that served last is asked first.

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct pg_conn;

namespace postrider {

// With several hosts, each gets so long and no longer: a promoted standby must be found while the
// old primary says nothing at all.
inline constexpr absl::Duration kConnectTimeoutAHost = absl::Seconds(2);

// Where the hosts of a conninfo are asked for PostgreSQL over TCP, standbys among them: "HOST:PORT"
// or "[V6]:PORT" each, names as they are. What libpq takes from the environment counts where the
// conninfo leaves it out; a service file is not read. Empty for unix sockets and for what cannot be
// parsed.
std::vector<std::string> TcpHostsOf(const std::string& conninfo);

class Connector {
 public:
  // `conninfo` is a libpq URI or keywords. target_session_attrs is read-write unless it says
  // otherwise, so that a standby is passed over.
  Connector(std::string conninfo, std::string application_name)
      : conninfo_(std::move(conninfo)), application_name_(std::move(application_name)) {}

  // A connection that is established; the caller ends it with PQfinish. `timeout` is for each host;
  // with several, kConnectTimeoutAHost at most.
  // UNAVAILABLE: none of the hosts answered and can be written to; the message has the last reason.
  absl::StatusOr<pg_conn*> Connect(absl::Duration timeout);

 private:
  const std::string conninfo_;
  const std::string application_name_;
  size_t served_ = 0;  // index of the host that answered last
};

}  // namespace postrider
