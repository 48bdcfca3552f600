// Every key that may call, in memory: looking one up waits for nothing, and an unknown one costs
// the database nothing. Follows the table of keys, so a key that is revoked on any server is
// refused here kMaxAge later at most: when the table could not be read for that long, no key is let
// in.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/access/allowance.h"
#include "server/runtime/clock.h"
#include "server/runtime/thread.h"
#include "storage/api_key_store.h"

namespace postrider::access {

struct KeyLimits {
  double calls_per_second = 0;  // of one key on this server, an event of a batch as one; 0: none
  int calls_in_flight = 5000;   // of one key on this server, streams included
};

// A key in use. Thread-safe.
struct KeyInUse {
  KeyInUse(KnownApiKey known_key, const KeyLimits& limits)
      : known(std::move(known_key)),
        rate(limits.calls_per_second),
        places(limits.calls_in_flight) {}

  const KnownApiKey known;
  Rate rate;
  Places places;
  std::atomic<bool> revoked{false};
  std::atomic<int64_t> last_use_micros{0};   // database time; 0: not yet
  std::atomic<int64_t> noted_use_micros{0};  // as stored

  ApiKeyId id() const { return known.key.id; }
  bool ValidAt(absl::Time now) const {
    return !revoked && (!known.key.expire_time || now < *known.key.expire_time);
  }
};

// Thread-safe.
class KeyDirectory {
 public:
  static constexpr absl::Duration kPoll = absl::Seconds(1);
  static constexpr absl::Duration kMaxAge = absl::Seconds(4);
  static constexpr absl::Duration kNoteUses = absl::Seconds(60);

  KeyDirectory(std::unique_ptr<ApiKeyReader> reader, KeyLimits limits);
  ~KeyDirectory() { Stop(); }

  // Who is told of every reading, on the thread that read: "keys", or one that calls Refresh.
  void TellOfReadings(std::function<void()> told);

  // Reads all keys, then follows them on a thread "keys".
  absl::Status Start();
  // Notes the last uses.
  void Stop();

  // Reads what changed now: what was stored before is known after.
  absl::Status Refresh();

  // False: what is known is too old to go by.
  bool Fresh(Instant now) const { return now - ToInstant(read_at_nanos_) <= kMaxAge; }
  // Null: there is none, or it is revoked.
  std::shared_ptr<KeyInUse> Find(ApiKeyId id) const;
  std::shared_ptr<KeyInUse> FindByCertificate(const std::string& san) const;

 private:
  static Instant ToInstant(int64_t nanos) { return absl::Nanoseconds(nanos); }
  void Follow();
  absl::Status Read();
  void NoteUses();

  const KeyLimits limits_;
  StopSignal stop_;
  NamedThread thread_;
  std::atomic<int64_t> read_at_nanos_{absl::ToInt64Nanoseconds(-absl::Hours(1))};

  absl::Mutex reading_;  // before mutex_
  const std::unique_ptr<ApiKeyReader> reader_ ABSL_PT_GUARDED_BY(reading_);
  int64_t position_ ABSL_GUARDED_BY(reading_) = 0;

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<ApiKeyId, std::shared_ptr<KeyInUse>> keys_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::shared_ptr<KeyInUse>> by_certificate_
      ABSL_GUARDED_BY(mutex_);
  std::function<void()> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace postrider::access
