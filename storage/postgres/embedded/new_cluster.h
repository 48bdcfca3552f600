#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_NEW_CLUSTER_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_NEW_CLUSTER_H_

#include "absl/status/status.h"
#include "storage/postgres/embedded/cluster_layout.h"
#include "storage/postgres/embedded/postgres_programs.h"

namespace postrider::embedded {

// The one role, a superuser, and the one database that a new cluster has beyond PostgreSQL's own.
inline constexpr char kRole[] = "postrider";
inline constexpr char kDatabase[] = "postrider";

// Makes the cluster layout.data: UTF-8, C locale, data checksums, the role and the database above;
// every connection over the Unix socket is trusted (its folder is the gate), TCP is rejected even
// if somebody turned it on. Built in layout.building and renamed when it is complete and on disk,
// so a crash at any point leaves no half-made cluster; what such a crash left is removed first.
// Takes about a second.
//
// INTERNAL: initdb failed, with its reason. DEADLINE_EXCEEDED: a step took over two minutes.
absl::Status MakeNewCluster(const ClusterLayout& layout, const PostgresPrograms& programs);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_NEW_CLUSTER_H_
