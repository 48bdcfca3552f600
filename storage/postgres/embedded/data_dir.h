#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_DATA_DIR_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_DATA_DIR_H_

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider::embedded {

// The server's data folder, held by one process at a time. It keeps small secrets and names (the
// node id, the master key) and the folder of the private PostgreSQL cluster (private_cluster.h).
//
// The lock is a flock(2) on DIR/lock: it ends with the process however that ends, also by kill -9.
// It is not handed on to child processes, so a PostgreSQL that outlives the server does not hold
// it. Keep this object for as long as anything in the folder is used.
//
// Thread-safe.
class DataDir {
 public:
  // Longest content of a small file that ReadOrCreate accepts, in bytes.
  static constexpr size_t kMaxFileBytes = 64 * 1024;

  // Opens `path`, made absolute, and locks it. Missing folders are created: mode 0700; 0711 when
  // running as root, because the private PostgreSQL then runs as another user who must be able to
  // reach its folder below. An existing folder of root's that is empty or already a data folder is
  // given those search bits too (`mktemp -d` makes 0700); any other folder is left as it is.
  //
  // INVALID_ARGUMENT: `path` is empty. FAILED_PRECONDITION: another postriderd holds the folder;
  // the message has its pid, if it had written it. Other codes: the system refused; no lock is
  // held, folders made on the way stay.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(std::string path);

  // Unlocks. The lock file stays: removing it would let two processes lock different files.
  ~DataDir();

  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  // Absolute, without symbolic links and without a trailing slash.
  const std::string& path() const { return path_; }

  // The content of the file DIR/`name`; when there is none yet, `make()` is called once and its
  // result stored with mode 0600 first. The file appears whole or not at all, also after a power
  // cut, and every later call returns the same bytes.
  //
  // INVALID_ARGUMENT: `name` is not of [A-Za-z0-9_-] and inner dots, is `lock` or ends in `.new`;
  // or make() returned more than kMaxFileBytes. RESOURCE_EXHAUSTED: the file is longer than
  // kMaxFileBytes. Other codes: the system refused; no file was made.
  absl::StatusOr<std::string> ReadOrCreate(absl::string_view name,
                                           absl::FunctionRef<std::string()> make);

 private:
  DataDir(std::string path, FileDescriptor lock);

  const std::string path_;
  const FileDescriptor lock_;
  absl::Mutex files_mu_;  // One maker of a file at a time.
};

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_DATA_DIR_H_
