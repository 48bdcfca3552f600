#include "server/maintenance.h"

#include <functional>
#include <string>

#include "server/observe/log.h"

namespace postrider {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr int32_t kSweepAtOnce = 5000;

}  // namespace

void Maintenance::Start() {
  thread_ = NamedThread("maintain", [this] { Run(); });
}

void Maintenance::Stop() {
  stop_.Stop();
  thread_.Join();
}

void Maintenance::Run() {
  struct Chore {
    const char* what;
    absl::Duration every;
    std::function<absl::Status()> run;
    Instant next;
  };
  Chore chores[] = {
      {"sweep deliveries of deleted endpoints",
       absl::Seconds(2),
       [this] { return store_->SweepDeleted(kSweepAtOnce).status(); },
       {}},
      {"make partitions", absl::Minutes(10), [this] { return store_->MakePartitions(); }, {}},
      // The table grows by what dies between two of them, and all statements pass through it.
      {"vacuum", absl::Seconds(2), [this] { return store_->VacuumHot(); }, {}},
      {"drop what is past retention",
       absl::Minutes(30),
       [this] {
         const auto dropped = store_->DropExpired(retention_);
         if (dropped.ok() && !dropped->empty()) {
           observe::Log(observe::Severity::kInfo, "dropped days past retention",
                        {{"tables", std::to_string(dropped->size())}});
         }
         return dropped.status();
       },
       {}},
      {"sweep leftovers", absl::Minutes(30), [this] { return store_->SweepSmall(retention_); }, {}},
  };
  for (Chore& chore : chores) chore.next = MonotonicNow();
  while (stop_.WaitFor(kTick)) {
    for (Chore& chore : chores) {
      if (MonotonicNow() < chore.next || stop_.stopped()) continue;
      const absl::Status status = chore.run();
      chore.next = MonotonicNow() + chore.every;
      if (!status.ok()) {
        POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "housekeeping failed; tried again later",
                             {{"chore", chore.what}, {"error", std::string(status.message())}});
      }
    }
  }
}

}  // namespace postrider
