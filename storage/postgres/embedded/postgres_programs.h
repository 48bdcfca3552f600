#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_POSTGRES_PROGRAMS_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_POSTGRES_PROGRAMS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace postrider::embedded {

// The oldest PostgreSQL that Postrider runs on.
inline constexpr int kOldestPostgres = 15;

// An installed PostgreSQL server.
struct PostgresPrograms {
  std::string folder;  // Holds `postgres` and `initdb`.
  int major = 0;       // 15 for PostgreSQL 15.20.

  std::string Postgres() const { return folder + "/postgres"; }
  std::string Initdb() const { return folder + "/initdb"; }
};

// Looks in /usr/lib/postgresql/*/bin, in what `pg_config --bindir` names, and along PATH. Returns
// the one of version `major` if given (a data folder can only be opened by the major version that
// made it), else the newest one of at least kOldestPostgres.
//
// NOT_FOUND: there is none; the message names the Debian package to install.
absl::StatusOr<PostgresPrograms> FindPostgresPrograms(std::optional<int> major);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_POSTGRES_PROGRAMS_H_
