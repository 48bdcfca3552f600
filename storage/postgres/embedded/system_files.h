#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_SYSTEM_FILES_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_SYSTEM_FILES_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace postrider::embedded {

// Owns one file descriptor, closed at the end. Move-only.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Close();

 private:
  int fd_ = -1;
};

// The current errno as a status, "WHAT: reason". The code is Abseil's for that errno.
absl::Status SystemError(absl::string_view what);

// The whole of a regular file. NOT_FOUND when it does not exist, RESOURCE_EXHAUSTED when it is
// longer than `max_bytes`. Also reads files of /proc, whose size is not known ahead.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes);

// Writes all of `bytes` at the descriptor's position; short writes and EINTR are continued.
absl::Status WriteAll(int fd, absl::string_view bytes);

// fsync of a folder: what was renamed or created in it survives a power cut.
absl::Status SyncFolder(const std::string& path);

// Makes `path` hold `bytes` with mode 0600, all or nothing, also across a power cut: PATH.new is
// written, synced and renamed over it. A PATH.new left by a crash is replaced. Not safe against a
// second writer of the same path at the same time.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

// The path made absolute with symbolic links resolved as far as it exists.
absl::StatusOr<std::string> AbsolutePath(const std::string& path);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_SYSTEM_FILES_H_
