// The thread that keeps the database in order ("maintain"): partitions ahead, retention, leftovers.

#pragma once

#include <memory>

#include "server/runtime/clock.h"
#include "server/runtime/thread.h"
#include "storage/maintenance_store.h"

namespace postrider {

class Maintenance {
 public:
  Maintenance(std::unique_ptr<MaintenanceStore> store, const RetentionOptions& retention)
      : store_(std::move(store)), retention_(retention) {}
  ~Maintenance() { Stop(); }

  void Start();
  // Begins no further chore.
  void RequestStop() { stop_.Stop(); }
  void Stop();

 private:
  void Run();

  const std::unique_ptr<MaintenanceStore> store_;
  const RetentionOptions retention_;
  StopSignal stop_;
  NamedThread thread_;
};

}  // namespace postrider
