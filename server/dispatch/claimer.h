// The thread that looks for due work and leases it ("claim"): what the dispatcher orders, what
// nobody holds, and what dead nodes left.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/dispatch/work.h"
#include "server/runtime/clock.h"
#include "server/runtime/mailbox.h"
#include "server/runtime/thread.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

struct ClaimOptions {
  int32_t node_no = 0;
  absl::Duration lease = absl::Seconds(30);
  absl::Duration hold = absl::Seconds(12);  // a lease not started by then is given back
  absl::Duration poll = absl::Milliseconds(250);
};

// Whose leases may be taken over: "gone" ones all, those of "live" ones when they ran out.
struct Liveness {
  std::vector<int32_t> gone;
  std::vector<int32_t> live;
};

class Claimer {
 public:
  struct Outputs {  // called on the claim thread
    std::function<void(std::vector<ClaimOrder>, std::vector<WorkItem>)> claimed;
    std::function<void(std::vector<ClaimOrder>)> failed;
    std::function<void(std::vector<EndpointId>)> due;
  };

  Claimer(std::unique_ptr<DispatchStore> store, const ClaimOptions& options, Outputs outputs,
          const DatabaseClock& clock);
  ~Claimer() { Stop(); }

  void Start();
  // Ends after the releases put before.
  void Stop();

  // Thread-safe; never block.
  void Order(std::vector<ClaimOrder> orders);
  void Release(std::vector<LeaseRef> leases);
  void SetLiveness(Liveness liveness);

 private:
  struct Job {
    std::vector<ClaimOrder> orders;
    std::vector<LeaseRef> releases;
  };

  void Run();
  bool ClaimAll(std::vector<ClaimOrder> orders);
  bool ReleaseAll(const std::vector<LeaseRef>& leases);
  // When to look again, at most options_.poll from now. False: the database is away.
  bool FindDue(absl::Duration& wait);
  bool TakeOver();

  const std::unique_ptr<DispatchStore> store_;
  const ClaimOptions options_;
  const Outputs outputs_;
  const DatabaseClock& clock_;
  Mailbox<Job> inbox_;
  absl::Mutex mutex_;
  Liveness liveness_ ABSL_GUARDED_BY(mutex_);
  NamedThread thread_;
};

}  // namespace postrider::dispatch
