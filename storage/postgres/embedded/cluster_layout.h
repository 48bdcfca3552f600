#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_LAYOUT_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_LAYOUT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/postgres/embedded/child_process.h"

namespace postrider::embedded {

// Where the private cluster keeps what, and which user it runs as.
//
//   DATA_DIR/postgres/               of the server's user; 0711 when that is root, else 0700
//     data/                          the cluster, of the database user, 0700
//     data.new/                      a cluster being made; renamed to data/ once complete
//     run/                           the Unix socket, of the database user, 0700
//     postgres.log, postgres.log.1   what PostgreSQL prints, 0600
//
// As root, folders of the database user lie only directly inside one of root's, so that user can
// put no symbolic link in the way of what root does there.
struct ClusterLayout {
  std::string root;
  std::string data;
  std::string building;
  std::string socket_folder;  // DATA_DIR/postgres/run, or a short path; see SocketFolderFor.
  std::string log_file;
  std::optional<SystemUser> run_as;  // Set when running as root, which PostgreSQL refuses to do.
  std::optional<int> major;          // The version that made data/; none: there is no data/ yet.
};

// Finds and prepares the folders under `data_dir` (absolute and existing), except data/ itself, and
// chooses the user: the owner of data/ if there is one, else for root the user `postrider`, else
// `postgres`.
//
// FAILED_PRECONDITION: root finds neither user; data/ belongs to somebody else, or is no cluster;
// the database user cannot reach the folder.
absl::StatusOr<ClusterLayout> PrepareLayout(const std::string& data_dir);

// The folder for the Unix socket of the cluster in `root`: root/run, unless the socket's path would
// exceed the 107 bytes that a Unix address holds, or holds characters that have a meaning in
// PostgreSQL's lists of folders and hosts. Then /run/postrider-HASH for root and
// /tmp/postrider-HASH for others, HASH being of `root`, so the same data folder always gives the
// same one.
std::string SocketFolderFor(const std::string& root, bool as_root);

// Makes the socket folder, and removes a socket and its lock file left there. Call only when no
// postmaster of the cluster is alive. FAILED_PRECONDITION: it exists and belongs to somebody else.
absl::Status PrepareSocketFolder(const ClusterLayout& layout);

// Removes a socket folder that lies outside the data folder. Never fails: it may not be empty.
void RemoveSocketFolder(const ClusterLayout& layout);

// Makes `path` a folder of the database user's with mode 0700; an existing one must be that
// already. FAILED_PRECONDITION: it is something else or belongs to somebody else.
absl::Status MakePrivateFolder(const std::string& path, const std::optional<SystemUser>& owner);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_LAYOUT_H_
