#include "tests/bench/rig.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/bench/load.h"
#include "tests/bench/usage.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/wait.h"

namespace postrider::bench {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(10);

}  // namespace

Usage Usage::operator-(const Usage& other) const {
  return {server - other.server, postgres - other.postgres,   receiver - other.receiver,
          load - other.load,     wal_bytes - other.wal_bytes, transactions - other.transactions};
}

absl::StatusOr<std::unique_ptr<Rig>> Rig::Start(FastReceiver& receiver, Options options) {
  std::unique_ptr<Rig> rig(new Rig(receiver, std::move(options)));
  absl::StatusOr<std::unique_ptr<embedded::DataDir>> folder =
      embedded::DataDir::Open(testing::ScratchFolder::NewFolder("cluster"));
  if (!folder.ok()) return folder.status();
  rig->folder_ = *std::move(folder);
  embedded::PrivateCluster::Options cluster_options;
  cluster_options.data_dir = rig->folder_->path();
  cluster_options.extra_settings = rig->options_.postgres_settings;
  absl::StatusOr<std::unique_ptr<embedded::PrivateCluster>> cluster =
      embedded::PrivateCluster::Start(std::move(cluster_options));
  if (!cluster.ok()) return cluster.status();
  rig->cluster_ = *std::move(cluster);
  rig->database_ = std::make_unique<testing::TestDatabase>(rig->cluster_->conninfo());
  rig->data_dir_ = testing::ScratchFolder::NewFolder("server");
  if (absl::Status started = rig->StartServer(); !started.ok()) return started;
  return rig;
}

absl::Status Rig::StartServer() {
  testing::ServerProcess::Options options;
  options.database = cluster_->conninfo();
  options.data_dir = data_dir_;
  options.flags = options_.server_flags;
  absl::StatusOr<std::unique_ptr<testing::ServerProcess>> server =
      testing::ServerProcess::Start(std::move(options));
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  return absl::OkStatus();
}

absl::Status Rig::StopServer() {
  if (server_->Terminate() == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the server did not end in good order:\n", server_->LogTail()));
}

std::string Rig::UrlAt(Site site, size_t number) const {
  switch (site) {
    case Site::kSlow:
      return receiver_.SlowUrl(number);
    case Site::kDead:
      return receiver_.DeadUrl();
    default:
      return receiver_.Url(number);
  }
}

absl::StatusOr<std::vector<std::string>> Rig::CreateEndpoints(const EndpointPlan& plan) {
  std::vector<std::string> ids;
  for (int org = 0; org < plan.orgs; ++org) {
    for (int i = 0; i < plan.groups * plan.fan_out; ++i) {
      v1::CreateEndpointRequest request;
      v1::Endpoint& endpoint = *request.mutable_endpoint();
      endpoint.set_org_id(OrgOf(plan.first_org + org));
      endpoint.set_env_id(kBenchEnv);
      endpoint.set_url(UrlAt(plan.site, ids.size()));
      endpoint.add_events(TypeOf(plan.first_group + i % plan.groups));
      if (plan.site == Site::kDead) endpoint.set_disable_threshold(0);
      if (plan.max_in_flight > 0) endpoint.set_max_in_flight(plan.max_in_flight);
      if (plan.ordered) endpoint.set_ordered(true);
      const testing::Reply<v1::CreateEndpointResponse> reply =
          server_->api().CreateEndpoint(request);
      if (!reply.ok()) return absl::InternalError(testing::ToText(reply.status));
      ids.push_back(reply->endpoint().id());
    }
  }
  return ids;
}

absl::Status Rig::WaitUntilRecorded(absl::Duration timeout) {
  const testing::Deadline deadline(timeout);
  // PostgreSQL is not asked while requests still come: its answer would be part of what is
  // measured.
  for (int64_t answered = -1, seen = -2;
       answered != seen ||
       database_->Value("SELECT EXISTS (SELECT FROM open_deliveries)") != "f";) {
    seen = std::exchange(answered, receiver_.answered());
    if (deadline.Passed()) {
      return absl::DeadlineExceededError(absl::StrCat("deliveries are still open after ",
                                                      absl::FormatDuration(timeout), ":\n",
                                                      server_->LogTail()));
    }
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

Usage Rig::Used() {
  const testing::Rows rows = database_->Query(
      "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, "
      "pg_snapshot_xmax(pg_current_snapshot())");
  Usage usage;
  usage.server = CpuSecondsOf(server_pid());
  usage.postgres = CpuSecondsOfFamily(cluster_->pid());
  usage.receiver = CpuSecondsOf(receiver_.pid());
  usage.load = CpuSecondsOf(::getpid());
  if (!rows.empty()) {
    usage.wal_bytes = std::atoll(rows[0][0].c_str());
    usage.transactions = std::atoll(rows[0][1].c_str());
  }
  return usage;
}

}  // namespace postrider::bench
