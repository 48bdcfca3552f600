#include "storage/postgres/embedded/cluster_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace postrider::embedded {
namespace {

constexpr off_t kReasonBytes = 64 * 1024;

// Up to `most` bytes from position `from` on.
std::string ReadPart(const std::string& path, off_t from, off_t most) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return "";
  std::string bytes(static_cast<size_t>(most), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::pread(file.get(), bytes.data() + filled, bytes.size() - filled,
                                from + static_cast<off_t>(filled));
    if (got <= 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

// "2024-05-01 10:00:00.000 UTC [123] FATAL:  reason" as "FATAL: reason".
std::string WithoutPrefix(absl::string_view line) {
  if (const size_t end = line.find("] "); end != absl::string_view::npos) {
    line.remove_prefix(end + 2);
  }
  std::string text(line);
  absl::RemoveExtraAsciiWhitespace(&text);
  return text;
}

}  // namespace

absl::StatusOr<FileDescriptor> OpenClusterLog(const std::string& path) {
  FileDescriptor log(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!log.valid()) return SystemError(absl::StrCat("cannot open ", path));
  return log;
}

off_t ClusterLogSize(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

void BoundClusterLog(const std::string& path) {
  const off_t size = ClusterLogSize(path);
  if (size <= kMaxLogBytes) return;
  absl::Status kept = WriteFileAtomically(absl::StrCat(path, ".1"),
                                          ReadPart(path, size - kMaxLogBytes, kMaxLogBytes));
  if (!kept.ok()) return;
  [[maybe_unused]] const int ignored = ::truncate(path.c_str(), 0);
}

std::string LastReason(const std::string& path, off_t from) {
  const off_t size = ClusterLogSize(path);
  from = std::clamp(from, std::max<off_t>(0, size - kReasonBytes), size);
  const std::string text = ReadPart(path, from, size - from);
  std::string last, grave;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    last = std::string(line);
    if (absl::StrContains(line, "FATAL: ") || absl::StrContains(line, "PANIC: ")) grave = last;
  }
  return WithoutPrefix(grave.empty() ? last : grave);
}

}  // namespace postrider::embedded
