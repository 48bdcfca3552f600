#include "storage/postgres/embedded/new_cluster.h"

#include <stdio.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/postgres/embedded/child_process.h"
#include "storage/postgres/embedded/process_handle.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider::embedded {
namespace {

constexpr absl::Duration kStepTimeout = absl::Minutes(2);
constexpr absl::Duration kLeftoverGrace = absl::Seconds(2);
constexpr absl::Duration kLeftoverTimeout = absl::Seconds(5);

// The first line that says what went wrong; later ones are advice and cleaning up.
std::string ReasonIn(absl::string_view output) {
  std::string last = "it said nothing";
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::StrContains(line, "error:") || absl::StrContains(line, "ERROR:") ||
        absl::StrContains(line, "FATAL:") || absl::StrContains(line, "PANIC:")) {
      return std::string(line);
    }
    if (!line.empty()) last = std::string(line);
  }
  return last;
}

absl::Status RunStep(absl::string_view what, ProgramCall call, absl::string_view input) {
  absl::StatusOr<ProgramResult> result = RunToEnd(call, input, kStepTimeout);
  if (!result.ok()) return result.status();
  if (result->exit_code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot make the PostgreSQL cluster: ", what,
                                          " ended with ", result->exit_code, ": ",
                                          ReasonIn(result->output)));
}

absl::Status RemoveLeftovers(const std::string& folder) {
  // A server killed in the middle may have left a child of initdb behind that still writes there;
  // it ends by itself at the end of its input.
  EndPostgresProcesses(folder, kLeftoverGrace, kLeftoverTimeout);
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot remove ", folder, ": ", error.message()));
}

}  // namespace

absl::Status MakeNewCluster(const ClusterLayout& layout, const PostgresPrograms& programs) {
  const std::string& folder = layout.building;
  if (absl::Status removed = RemoveLeftovers(folder); !removed.ok()) return removed;
  if (absl::Status made = MakePrivateFolder(folder, layout.run_as); !made.ok()) return made;
  absl::Status step = RunStep(
      "initdb",
      ProgramCall{{programs.Initdb(), "--pgdata", folder, absl::StrCat("--username=", kRole),
                   "--encoding=UTF8", "--locale=C", "--data-checksums", "--auth-local=trust",
                   "--auth-host=reject", "--no-instructions"},
                  layout.run_as},
      "");
  if (!step.ok()) return step;
  // PostgreSQL's single-user mode, as initdb itself uses it: the database is part of the cluster
  // from the first moment that the cluster has its name. With -j a statement ends at ";\n\n".
  // The setting: nothing is left in /dev/shm when a kill of the server takes this process along.
  step = RunStep("creating the database",
                 ProgramCall{{programs.Postgres(), "--single", "-j", "-c", "exit_on_error=on", "-c",
                              "dynamic_shared_memory_type=mmap", "-D", folder, "template1"},
                             layout.run_as},
                 absl::StrCat("CREATE DATABASE ", kDatabase, ";\n\n"));
  if (!step.ok()) return step;
  if (::rename(folder.c_str(), layout.data.c_str()) != 0) {
    return SystemError(absl::StrCat("cannot rename ", folder));
  }
  return SyncFolder(layout.root);
}

}  // namespace postrider::embedded
