// PublisherService behind a gate on a loopback address, with neither database nor engine: what is
// published waits until the test answers it.

#ifndef POSTRIDER_TESTS_RPC_SERVED_PUBLISHER_H_
#define POSTRIDER_TESTS_RPC_SERVED_PUBLISHER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/publisher_service.h"
#include "tests/access/key_table.h"

namespace postrider::rpc {

class ServedPublisher {
 public:
  ServedPublisher(const GateOptions& gate_options, const access::KeyLimits& key_limits);
  // Refuses what waits.
  ~ServedPublisher();

  const std::string& address() const { return server_->address(); }

  // The text of a new key for PUBLISH that is known from now on.
  std::string AddKey();
  void Revoke(const std::string& key_text);
  PublishStreams& streams() { return service_.streams(); }

  // Submissions that wait, and their deadlines, oldest first.
  size_t waiting() const;
  std::vector<Instant> deadlines() const;
  // Accepts the oldest of them.
  void Accept(size_t count);

  // The next submission is not taken before Release: its caller's thread stands still meanwhile.
  void HoldNext();
  bool holding() const;
  void Release();

 private:
  absl::Status Take(publish::Submission submission);

  class NoEvents;
  class NoRecords;

  access::KeyTable table_;
  DatabaseClock clock_;
  access::KeyDirectory directory_;
  Gate gate_;
  Workers workers_{1, 10};
  const std::unique_ptr<AuditStore> records_;
  AuditLog audit_;
  const access::OpenDeliveries open_deliveries_{nullptr, 0};
  const Reception reception_{gate_, workers_, audit_, open_deliveries_};
  const std::unique_ptr<EventStore> events_;

  mutable absl::Mutex mutex_;
  std::vector<publish::Submission> waiting_ ABSL_GUARDED_BY(mutex_);
  enum class Hold { kNone, kNext, kHolding };
  Hold hold_ ABSL_GUARDED_BY(mutex_) = Hold::kNone;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;

  PublisherService service_;
  std::unique_ptr<GrpcServer> server_;
};

}  // namespace postrider::rpc

#endif  // POSTRIDER_TESTS_RPC_SERVED_PUBLISHER_H_
