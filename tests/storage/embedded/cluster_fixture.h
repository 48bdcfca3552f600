#ifndef POSTRIDER_TESTS_STORAGE_EMBEDDED_CLUSTER_FIXTURE_H_
#define POSTRIDER_TESTS_STORAGE_EMBEDDED_CLUSTER_FIXTURE_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "storage/postgres/embedded/data_dir.h"
#include "storage/postgres/embedded/private_cluster.h"
#include "tests/storage/embedded/temp_folder.h"

namespace postrider::embedded {

// A temporary data folder and the clusters started in it. Whatever a test did or failed to do, no
// PostgreSQL and no file of it is left afterwards.
class ClusterTest : public ::testing::Test {
 protected:
  ClusterTest();
  ~ClusterTest() override;

  // Makes and locks the data folder; `name` below the temporary folder.
  void OpenDataDir(const std::string& name = "data");

  // A data folder that holds a cluster already, made once for all tests and copied.
  void OpenDataDirWithCluster();

  // Options for the open data folder, with lines_ as log.
  PrivateCluster::Options MakeOptions();

  // The cluster of the open data folder; a failure of the test when it does not start.
  std::unique_ptr<PrivateCluster> StartCluster() { return StartCluster(MakeOptions()); }
  std::unique_ptr<PrivateCluster> StartCluster(PrivateCluster::Options options);

  std::string ClusterFolder() const { return data_dir_->path() + "/postgres"; }

  TempFolder temp_;
  std::unique_ptr<DataDir> data_dir_;
  std::vector<std::string> lines_;  // What the clusters told their log.
};

// The first value of the first row, or "error SQLSTATE"; "no connection: WHY" without one.
std::string Query(const PrivateCluster& cluster, const std::string& sql);

// The effective user id of a process; the largest value when there is no such process.
uid_t UserOf(pid_t pid);

// Ends a process that a test has started as a child, and reaps it.
void KillChild(pid_t pid);

}  // namespace postrider::embedded

#endif  // POSTRIDER_TESTS_STORAGE_EMBEDDED_CLUSTER_FIXTURE_H_
