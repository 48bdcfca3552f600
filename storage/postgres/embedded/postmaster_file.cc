#include "storage/postgres/embedded/postmaster_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider::embedded {
namespace {

constexpr size_t kMaxBytes = 8192;  // PostgreSQL's own limit for this file is BLCKSZ.
constexpr size_t kStatusLine = 7;   // Counted from 0.

std::string PathIn(const std::string& data) { return absl::StrCat(data, "/postmaster.pid"); }

}  // namespace

absl::StatusOr<PostmasterFile> ReadPostmasterFile(const std::string& data) {
  absl::StatusOr<std::string> text = ReadSmallFile(PathIn(data), kMaxBytes);
  if (!text.ok()) return text.status();
  const std::vector<absl::string_view> lines = absl::StrSplit(*text, '\n');
  PostmasterFile file;
  if (!absl::SimpleAtoi(lines.front(), &file.pid)) {
    return absl::DataLossError(absl::StrCat(PathIn(data), " has no process id in it"));
  }
  if (lines.size() > kStatusLine) {
    // One that follows another server answers as "standby".
    file.ready = absl::StartsWith(lines[kStatusLine], "ready") ||
                 absl::StartsWith(lines[kStatusLine], "standby");
    file.stopping = absl::StartsWith(lines[kStatusLine], "stopping");
  }
  return file;
}

absl::Status ReleasePostmasterFile(const std::string& data) {
  const std::string path = PathIn(data);
  absl::StatusOr<std::string> text = ReadSmallFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  const size_t first_line_end = text->find('\n');
  // An empty or cut file is the work of a full disk; PostgreSQL would refuse it and say the same.
  if (first_line_end == std::string::npos) {
    if (::unlink(path.c_str()) != 0) return SystemError(absl::StrCat("cannot remove ", path));
    return absl::OkStatus();
  }
  text->replace(0, first_line_end, absl::StrCat(::getpid()));
  // In place, so that the file keeps its owner.
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return SystemError(absl::StrCat("cannot open ", path));
  return WriteAll(file.get(), *text);
}

}  // namespace postrider::embedded
