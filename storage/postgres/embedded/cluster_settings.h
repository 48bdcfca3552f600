#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_SETTINGS_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_SETTINGS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace postrider::embedded {

// PostgreSQL settings by name, as given to `postgres -c NAME=VALUE`; ordered, so that the same
// settings give the same command line.
using Settings = std::map<std::string, std::string>;

// The settings that the private cluster runs with: ours, then `extra` over them.
//
// INVALID_ARGUMENT: `extra` names a setting that says where the cluster is and who can reach it
// (listen_addresses, port, unix_socket_*, the file locations, where the log goes); these are not
// for changing.
absl::StatusOr<Settings> ClusterSettings(
    const std::vector<std::pair<std::string, std::string>>& extra);

// The arguments that start `postgres` on `data` with its socket in `socket_folder` and no TCP.
std::vector<std::string> PostgresArguments(const std::string& postgres, const std::string& data,
                                           const std::string& socket_folder,
                                           const Settings& settings);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CLUSTER_SETTINGS_H_
