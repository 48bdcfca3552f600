// Which orgs have so much waiting that they may publish nothing more. Counted every few seconds, so
// an org can go beyond its limit by what it publishes in between; the count costs the database 2 %
// of its time at most. Thread-safe.

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "server/runtime/thread.h"
#include "storage/open_delivery_reader.h"

namespace postrider::access {

class OpenDeliveries {
 public:
  static constexpr absl::Duration kCountEvery = absl::Seconds(2);

  // Counts on a thread "quotas". `limit` 0: everything is allowed and nothing counted.
  OpenDeliveries(std::unique_ptr<OpenDeliveryReader> reader, int64_t limit);
  ~OpenDeliveries() { Stop(); }
  void Stop();

  // Whether this org may publish. While the database cannot count, what was counted last holds.
  bool HasRoom(const std::string& org_id) const;

 private:
  void Count();

  const std::unique_ptr<OpenDeliveryReader> reader_;
  const int64_t limit_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_set<std::string> full_ ABSL_GUARDED_BY(mutex_);
  StopSignal stop_;
  NamedThread thread_;
};

}  // namespace postrider::access
