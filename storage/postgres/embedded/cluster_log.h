#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_LOG_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_LOG_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider::embedded {

// The file that the private PostgreSQL prints to. PostgreSQL holds it open for appending and knows
// nothing of its size. (Its logging_collector bounds a file by age alone, not by size, under names
// that repeat, and under names that do not repeat it bounds nothing.)

// Above this size the log is moved aside.
inline constexpr off_t kMaxLogBytes = 10 * 1024 * 1024;

// Opens the log for appending, made with mode 0600.
absl::StatusOr<FileDescriptor> OpenClusterLog(const std::string& path);

// When the log is longer than kMaxLogBytes: copies its last kMaxLogBytes to PATH.1 and empties it
// in place, since PostgreSQL goes on writing to this very file. Lines written in between are lost.
// Never fails: a log that cannot be cut is no reason to stop.
void BoundClusterLog(const std::string& path);

// The current length in bytes; 0 when there is no log.
off_t ClusterLogSize(const std::string& path);

// Why PostgreSQL ended, in its words and without time and pid: the last FATAL or PANIC line behind
// position `from`, else the last line; "" when there is none. Looks at the last 64 KiB.
std::string LastReason(const std::string& path, off_t from);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_LOG_H_
