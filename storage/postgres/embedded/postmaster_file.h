#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_POSTMASTER_FILE_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_POSTMASTER_FILE_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace postrider::embedded {

// What DATA/postmaster.pid says. Its lines are PostgreSQL's own (src/include/utils/pidfile.h): pid,
// data folder, start time, port, socket folder, listen address, shared memory key, status.
struct PostmasterFile {
  pid_t pid = 0;
  bool ready = false;     // Accepts connections.
  bool stopping = false;  // Has begun to shut down.
};

// NOT_FOUND: there is no such file, so no postmaster, or one that has only just begun.
// DATA_LOSS: the file has no pid in it.
absl::StatusOr<PostmasterFile> ReadPostmasterFile(const std::string& data);

// Makes a postmaster.pid whose postmaster is gone harmless. PostgreSQL refuses to start while the
// pid in it belongs to any living process of the same user, which after a restart of the machine or
// container may be an unrelated one, and which a zombie counts as. It lets its own parent pass, so
// this puts the caller's pid there, and leaves the rest: PostgreSQL still checks for itself that
// nobody is attached to the shared memory named there.
//
// Call only when no postmaster of `data` is alive, in the process that will start the next one.
absl::Status ReleasePostmasterFile(const std::string& data);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_POSTMASTER_FILE_H_
