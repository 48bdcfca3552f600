// What a measurement runs on: a PostgreSQL and a postriderd of its own, a receiver, and endpoints.

#ifndef POSTRIDER_TESTS_BENCH_RIG_H_
#define POSTRIDER_TESTS_BENCH_RIG_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/postgres/embedded/data_dir.h"
#include "storage/postgres/embedded/private_cluster.h"
#include "tests/bench/fast_receiver.h"
#include "tests/support/server_process.h"
#include "tests/support/test_database.h"

namespace postrider::bench {

// What was used up to a moment; differences of two are what matters.
struct Usage {
  double server = 0;  // CPU seconds
  double postgres = 0;
  double receiver = 0;
  double load = 0;           // this process
  int64_t wal_bytes = 0;     // written ahead
  int64_t transactions = 0;  // that wrote something

  Usage operator-(const Usage& other) const;
};

// Where endpoints are: at once answered, answered after FastReceiver::kSlow, or refused (and then
// never disabled).
enum class Site { kFast, kSlow, kDead };

// Endpoints of TypeOf(first_group) and the next ones, in OrgOf(first_org) and the next ones.
struct EndpointPlan {
  int orgs = 1;
  int groups = 1;         // event types
  int fan_out = 1;        // endpoints of each type in each org
  int max_in_flight = 0;  // 0: the server's default
  bool ordered = false;
  int first_org = 0;
  int first_group = 0;
  Site site = Site::kFast;
};

class Rig {
 public:
  struct Options {
    std::vector<std::string> server_flags;
    // Over those of the private cluster; empty for what the server itself would run.
    std::vector<std::pair<std::string, std::string>> postgres_settings;
  };

  // A new PostgreSQL as the server would start it, and a server. `receiver` must outlive the rig.
  static absl::StatusOr<std::unique_ptr<Rig>> Start(FastReceiver& receiver, Options options);

  FastReceiver& receiver() { return receiver_; }
  testing::TestDatabase& database() { return *database_; }
  const std::string& address() const { return server_->grpc_address(); }
  pid_t server_pid() { return server_->program().pid(); }

  // One more life of the server on the same data; StopServer lets it drain.
  absl::Status StartServer();
  absl::Status StopServer();

  // The ids of the new endpoints.
  absl::StatusOr<std::vector<std::string>> CreateEndpoints(const EndpointPlan& plan);

  // Waits until no delivery is open; DEADLINE_EXCEEDED after `timeout`.
  absl::Status WaitUntilRecorded(absl::Duration timeout);

  Usage Used();

 private:
  std::string UrlAt(Site site, size_t number) const;

  Rig(FastReceiver& receiver, Options options)
      : receiver_(receiver), options_(std::move(options)) {}

  FastReceiver& receiver_;
  const Options options_;
  std::unique_ptr<embedded::DataDir> folder_;
  std::unique_ptr<embedded::PrivateCluster> cluster_;
  std::unique_ptr<testing::TestDatabase> database_;
  std::string data_dir_;
  std::unique_ptr<testing::ServerProcess> server_;
};

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_RIG_H_
