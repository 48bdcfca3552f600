#include "storage/postgres/embedded/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace postrider::embedded {
namespace {

constexpr char kLockName[] = "lock";

// Creates the missing folders of an absolute path, outermost first.
absl::Status CreateFolders(const std::string& path, mode_t mode) {
  std::vector<std::string> missing;
  struct stat info;
  for (std::filesystem::path at = path; ::stat(at.c_str(), &info) != 0; at = at.parent_path()) {
    if (errno != ENOENT) return SystemError(absl::StrCat("cannot look at ", at.string()));
    missing.push_back(at.string());
  }
  std::reverse(missing.begin(), missing.end());
  for (const std::string& folder : missing) {
    if (::mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) {
      return SystemError(absl::StrCat("cannot create the folder ", folder));
    }
    // The umask may have taken bits away.
    if (::chmod(folder.c_str(), mode) != 0) {
      return SystemError(absl::StrCat("cannot set the mode of ", folder));
    }
  }
  return absl::OkStatus();
}

// Lets other users pass through (not list) a data folder of root's that was made with mode 0700.
absl::Status OpenForTraversal(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return SystemError(absl::StrCat("cannot look at ", path));
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a folder"));
  }
  if (::geteuid() != 0 || info.st_uid != 0 || (info.st_mode & 0011) == 0011) {
    return absl::OkStatus();
  }
  std::error_code ignored;
  const bool ours = std::filesystem::is_empty(path, ignored) ||
                    std::filesystem::exists(absl::StrCat(path, "/", kLockName), ignored);
  if (ours && ::chmod(path.c_str(), (info.st_mode & 07777) | 0011) != 0) {
    return SystemError(absl::StrCat("cannot set the mode of ", path));
  }
  return absl::OkStatus();
}

std::string DescribeHolder(int lock_fd) {
  char text[32];
  const ssize_t got = ::pread(lock_fd, text, sizeof(text), 0);
  int pid = 0;
  if (got <= 0 || !absl::SimpleAtoi(absl::string_view(text, static_cast<size_t>(got)), &pid)) {
    return "another postriderd";
  }
  return absl::StrCat("another postriderd, pid ", pid);
}

bool IsPlainName(absl::string_view name) {
  if (name.empty() || name.front() == '.' || name.back() == '.' || name == kLockName ||
      absl::EndsWith(name, ".new")) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(std::string path) {
  if (path.empty()) return absl::InvalidArgumentError("the data folder has no name");
  absl::StatusOr<std::string> absolute = AbsolutePath(path);
  if (!absolute.ok()) return absolute.status();
  const mode_t mode = ::geteuid() == 0 ? 0711 : 0700;
  if (absl::Status made = CreateFolders(*absolute, mode); !made.ok()) return made;
  if (absl::Status passable = OpenForTraversal(*absolute); !passable.ok()) return passable;

  const std::string lock_path = absl::StrCat(*absolute, "/", kLockName);
  FileDescriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return SystemError(absl::StrCat("cannot open ", lock_path));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError(absl::StrCat("cannot lock ", lock_path));
    return absl::FailedPreconditionError(
        absl::StrCat("the data folder ", *absolute, " is in use by ", DescribeHolder(lock.get())));
  }
  if (::ftruncate(lock.get(), 0) != 0) return SystemError(absl::StrCat("cannot write ", lock_path));
  if (absl::Status wrote = WriteAll(lock.get(), absl::StrCat(::getpid(), "\n")); !wrote.ok()) {
    return absl::Status(wrote.code(), absl::StrCat(lock_path, ": ", wrote.message()));
  }
  return std::unique_ptr<DataDir>(new DataDir(*std::move(absolute), std::move(lock)));
}

DataDir::DataDir(std::string path, FileDescriptor lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

DataDir::~DataDir() {
  // Only so that the next holder's message cannot name this process; the lock goes with the close.
  [[maybe_unused]] const int ignored = ::ftruncate(lock_.get(), 0);
}

absl::StatusOr<std::string> DataDir::ReadOrCreate(absl::string_view name,
                                                  absl::FunctionRef<std::string()> make) {
  if (!IsPlainName(name)) {
    return absl::InvalidArgumentError(absl::StrCat("not a plain file name: ", name));
  }
  const std::string file = absl::StrCat(path_, "/", name);
  absl::MutexLock lock(&files_mu_);
  absl::StatusOr<std::string> kept = ReadSmallFile(file, kMaxFileBytes);
  if (!absl::IsNotFound(kept.status())) return kept;
  std::string made = make();
  if (made.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " would be longer than ", kMaxFileBytes, " bytes"));
  }
  if (absl::Status wrote = WriteFileAtomically(file, made); !wrote.ok()) return wrote;
  return made;
}

}  // namespace postrider::embedded
