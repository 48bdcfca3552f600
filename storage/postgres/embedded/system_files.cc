#include "storage/postgres/embedded/system_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace postrider::embedded {

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

FileDescriptor::~FileDescriptor() { Close(); }

void FileDescriptor::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

absl::Status SystemError(absl::string_view what) { return absl::ErrnoToStatus(errno, what); }

absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return SystemError(absl::StrCat("cannot open ", path));
  std::string bytes;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(absl::StrCat("cannot read ", path));
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(got));
    if (bytes.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path, " is longer than ", max_bytes, " bytes"));
    }
  }
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("cannot write");
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return SystemError(absl::StrCat("cannot open ", path));
  if (::fsync(folder.get()) != 0) return SystemError(absl::StrCat("cannot sync ", path));
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes) {
  const std::string fresh = absl::StrCat(path, ".new");
  ::unlink(fresh.c_str());
  FileDescriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return SystemError(absl::StrCat("cannot create ", fresh));
  // The umask may have taken bits away; the mode is part of the contract.
  if (::fchmod(file.get(), 0600) != 0) return SystemError(absl::StrCat("cannot chmod ", fresh));
  if (absl::Status written = WriteAll(file.get(), bytes); !written.ok()) {
    ::unlink(fresh.c_str());
    return absl::Status(written.code(), absl::StrCat(fresh, ": ", written.message()));
  }
  if (::fsync(file.get()) != 0) return SystemError(absl::StrCat("cannot sync ", fresh));
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return SystemError(absl::StrCat("cannot rename ", fresh));
  }
  return SyncFolder(std::filesystem::path(path).parent_path().string());
}

absl::StatusOr<std::string> AbsolutePath(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("an empty path");
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return absl::InternalError(absl::StrCat(path, ": ", error.message()));
  std::string resolved = std::filesystem::weakly_canonical(absolute, error).string();
  if (error) return absl::InternalError(absl::StrCat(path, ": ", error.message()));
  while (resolved.size() > 1 && resolved.back() == '/') resolved.pop_back();
  return resolved;
}

}  // namespace postrider::embedded
