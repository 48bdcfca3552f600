#include "storage/postgres/embedded/postgres_programs.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "storage/postgres/embedded/child_process.h"

namespace postrider::embedded {
namespace {

constexpr char kDebianRoot[] = "/usr/lib/postgresql";
constexpr absl::Duration kAnswerTimeout = absl::Seconds(10);

// What the program prints when it ends well, else nothing.
std::string OutputOf(std::vector<std::string> arguments) {
  if (::access(arguments.front().c_str(), X_OK) != 0) return "";
  absl::StatusOr<ProgramResult> result =
      RunToEnd(ProgramCall{std::move(arguments), std::nullopt}, "", kAnswerTimeout);
  if (!result.ok() || result->exit_code != 0) return "";
  return std::string(absl::StripAsciiWhitespace(result->output));
}

// "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)" or "postgres (PostgreSQL) 16beta1".
std::optional<int> MajorVersion(const std::string& folder) {
  if (::access((folder + "/initdb").c_str(), X_OK) != 0) return std::nullopt;
  const std::string answer = OutputOf({folder + "/postgres", "--version"});
  absl::string_view rest = answer;
  if (!absl::ConsumePrefix(&rest, "postgres (PostgreSQL) ")) return std::nullopt;
  int major = 0;
  while (!rest.empty() && absl::ascii_isdigit(static_cast<unsigned char>(rest.front())) &&
         major < 1000) {
    major = major * 10 + (rest.front() - '0');
    rest.remove_prefix(1);
  }
  return major;
}

std::vector<std::string> CandidateFolders() {
  std::vector<std::string> folders;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(kDebianRoot, error), end; !error && entry != end;
       entry.increment(error)) {
    folders.push_back((entry->path() / "bin").string());
  }
  std::vector<std::string> path;
  if (const char* value = ::getenv("PATH")) {
    path = absl::StrSplit(value, ':', absl::SkipEmpty());
  }
  for (const std::string& folder : path) {
    std::string named = OutputOf({folder + "/pg_config", "--bindir"});
    if (named.empty()) continue;
    folders.push_back(std::move(named));
    break;
  }
  folders.insert(folders.end(), path.begin(), path.end());
  return folders;
}

}  // namespace

absl::StatusOr<PostgresPrograms> FindPostgresPrograms(std::optional<int> major) {
  PostgresPrograms best;
  for (const std::string& folder : CandidateFolders()) {
    const std::optional<int> found = MajorVersion(folder);
    if (!found.has_value() || *found <= best.major) continue;
    if (major.has_value() ? *found == *major : *found >= kOldestPostgres) best = {folder, *found};
  }
  if (best.major != 0) return best;
  if (major.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("the data folder was made by PostgreSQL ", *major,
                     ", which is not installed: install the package postgresql-", *major));
  }
  return absl::NotFoundError(absl::StrCat("found no PostgreSQL server, version ", kOldestPostgres,
                                          " or newer, to run: install the package postgresql-",
                                          kOldestPostgres,
                                          " or give --database to use one that runs elsewhere"));
}

}  // namespace postrider::embedded
