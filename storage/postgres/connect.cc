#include "storage/postgres/connect.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/postgres/wait.h"

namespace postrider {
namespace {

constexpr char kDefaultPort[] = "5432";

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string FirstLine(const char* text) {
  const std::string all(text == nullptr ? "" : text);
  return all.substr(0, all.find('\n'));
}

// What the conninfo sets, in libpq's own reading of it. None: it cannot be read.
std::optional<Settings> SettingsOf(const std::string& conninfo) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(conninfo.c_str(), nullptr), PQconninfoFree);
  if (options == nullptr) {
    // As in libpq: what is neither a URI nor keywords is the name of a database.
    const bool is_name = !absl::StrContains(conninfo, "=") && !absl::StrContains(conninfo, "://");
    return is_name ? std::optional(Settings{{"dbname", conninfo}}) : std::nullopt;
  }
  Settings settings;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) settings.emplace_back(option->keyword, option->val);
  }
  return settings;
}

std::string* Find(Settings& settings, const std::string& keyword) {
  for (auto& [name, value] : settings) {
    if (name == keyword) return &value;
  }
  return nullptr;
}

// The settings of each host alone. One port serves all hosts, as in libpq.
std::vector<Settings> HostsOf(Settings settings) {
  size_t count = 1;
  for (const char* keyword : {"host", "hostaddr"}) {
    const std::string* list = Find(settings, keyword);
    if (list != nullptr) {
      count = std::max<size_t>(
          count, 1 + static_cast<size_t>(std::count(list->begin(), list->end(), ',')));
    }
  }
  if (Find(settings, "target_session_attrs") == nullptr) {
    settings.emplace_back("target_session_attrs", "read-write");
  }
  if (count == 1) return {std::move(settings)};
  std::vector<Settings> hosts(count, settings);
  for (const char* keyword : {"host", "hostaddr", "port"}) {
    const std::string* list = Find(settings, keyword);
    if (list == nullptr) continue;
    const std::vector<std::string> values = absl::StrSplit(*list, ',');
    for (size_t i = 0; i < count; ++i) {
      *Find(hosts[i], keyword) = values.size() == 1  ? values[0]
                                 : i < values.size() ? values[i]
                                                     : "";
    }
  }
  return hosts;
}

absl::StatusOr<PGconn*> ConnectTo(const Settings& settings, absl::Duration timeout) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : settings) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PGconn, decltype(&PQfinish)> conn(
      PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/1), PQfinish);
  if (conn == nullptr) return absl::ResourceExhaustedError("no memory for a connection");
  const WaitDeadline deadline = DeadlineAfter(timeout);
  PostgresPollingStatusType state =
      PQstatus(conn.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) {
      return absl::UnavailableError(
          absl::StrCat("cannot connect: ", FirstLine(PQerrorMessage(conn.get()))));
    }
    if (!WaitForSocket(PQsocket(conn.get()),
                       static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                       deadline)) {
      return absl::UnavailableError("connecting took too long");
    }
    state = PQconnectPoll(conn.get());
  }
  return conn.release();
}

// Adds what the environment says of hosts and ports, as libpq will.
void AddDefaults(Settings& settings) {
  const bool has_host = Find(settings, "host") != nullptr || Find(settings, "hostaddr") != nullptr;
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> defaults(PQconndefaults(),
                                                                        PQconninfoFree);
  if (defaults == nullptr) return;
  for (const PQconninfoOption* option = defaults.get(); option->keyword != nullptr; ++option) {
    const std::string keyword = option->keyword;
    const bool is_host = keyword == "host" || keyword == "hostaddr";
    if (option->val == nullptr || Find(settings, keyword) != nullptr) continue;
    if ((is_host && !has_host) || keyword == "port") settings.emplace_back(keyword, option->val);
  }
}

}  // namespace

std::vector<std::string> TcpHostsOf(const std::string& conninfo) {
  std::optional<Settings> settings = SettingsOf(conninfo);
  if (!settings) return {};
  AddDefaults(*settings);
  std::vector<std::string> hosts;
  for (Settings& host : HostsOf(*std::move(settings))) {
    std::string name;
    // The address counts where both are given.
    for (const char* keyword : {"hostaddr", "host"}) {
      const std::string* value = Find(host, keyword);
      if (name.empty() && value != nullptr) name = *value;
    }
    if (name.empty() || name.front() == '/' || name.front() == '@') continue;
    const std::string* port = Find(host, "port");
    const bool is_v6 = name.find(':') != std::string::npos;
    hosts.push_back(absl::StrCat(is_v6 ? "[" : "", name, is_v6 ? "]:" : ":",
                                 port == nullptr || port->empty() ? kDefaultPort : *port));
  }
  return hosts;
}

absl::StatusOr<pg_conn*> Connector::Connect(absl::Duration timeout) {
  const Settings own = {{"application_name", application_name_}, {"client_encoding", "UTF8"}};
  std::optional<Settings> settings = SettingsOf(conninfo_);
  if (!settings) {
    // Not in libpq's words: they repeat what it could not read, which may be the password.
    return absl::UnavailableError(
        "the connection string of the database cannot be read: in a URI special characters are "
        "percent-encoded, among keywords a value with spaces stands in single quotes");
  }
  const std::vector<Settings> hosts = HostsOf(*std::move(settings));
  if (hosts.size() > 1) timeout = std::min(timeout, kConnectTimeoutAHost);
  absl::Status last;
  for (size_t i = 0; i < hosts.size(); ++i) {
    const size_t host = (served_ + i) % hosts.size();
    Settings all = own;
    all.insert(all.end(), hosts[host].begin(), hosts[host].end());
    absl::StatusOr<PGconn*> conn = ConnectTo(all, timeout);
    if (conn.ok()) {
      served_ = host;
      return conn;
    }
    last = conn.status();
  }
  if (hosts.size() == 1) return last;
  return absl::UnavailableError(
      absl::StrCat("none of the ", hosts.size(), " hosts can be used; the last: ", last.message()));
}

}  // namespace postrider
