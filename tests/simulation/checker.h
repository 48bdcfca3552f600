// Compares, after a run, what publishers were told, what receivers saw and what is stored. It uses
// no code of the server: every rule is written down here once more, from SEMANTICS.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "tests/memory/database.h"
#include "tests/simulation/journal.h"

namespace postrider::simulation {

class Checker {
 public:
  struct Kindness {
    // By which a node's idea of the database's time may be off: half of its first heartbeat.
    absl::Duration clock_error = absl::Milliseconds(20);
    bool clean = false;      // nothing but restarts in good order: nothing may be sent twice
    bool unplugged = false;  // nothing but an outage of our own: no retry may be used up
  };
  Checker(const Journal& journal, const memory::Database& database, Kindness kindness);

  // What does not hold, at most so many sentences.
  static constexpr size_t kMaxFindings = 20;
  std::vector<std::string> Check();

 private:
  struct Course {  // of one delivery
    EventId event_id;
    EndpointId endpoint_id;
    DeliveryOrigin origin = DeliveryOrigin::kPublish;
    const memory::ClosedDelivery* closed = nullptr;  // null: open
    int32_t attempt_count = 0;
    std::optional<int64_t> sequence;                // place in its endpoint's queue
    std::vector<const WireAttempt*> wire;           // by start
    std::vector<const memory::StoredAttempt*> log;  // by number
    // Of an attempt on the wire; null: not logged.
    const memory::StoredAttempt* RowOf(const WireAttempt& sent) const;
  };

  template <typename... Parts>
  void Expect(bool holds, const Parts&... parts);

  void CollectCourses();
  // check_acceptance.cc
  void CheckPublications();
  void CheckFanOut();
  // check_delivery.cc
  void CheckEnd(DeliveryId id, const Course& course);
  void CheckPoisoned(DeliveryId id, const Course& course);
  void CheckNumbers(DeliveryId id, const Course& course);
  void CheckOverlap(DeliveryId id, const Course& course);
  void CheckSchedule(DeliveryId id, const Course& course);
  void CheckSentOnce(DeliveryId id, const Course& course);
  // check_order.cc
  void CheckOrder(EndpointId id);
  void CheckPlaces(const std::vector<std::pair<int64_t, DeliveryId>>& queue);
  // check_endpoint.cc
  bool Unplugged(const memory::StoredAttempt& row) const;
  void CheckCounter(EndpointId id, const memory::StoredEndpoint& endpoint);
  void CheckChangesHold(EndpointId id);
  void CheckCancels();
  void CheckSignatureTimes();

  // The configurations that a node may have gone by at `time`, a change being known after a second.
  std::vector<const EndpointConfig*> ConfigsAround(EndpointId id, absl::Time time) const;
  // Those, and all that followed until a transaction that was committed later.
  std::vector<const EndpointConfig*> ConfigsUntil(EndpointId id, absl::Time time,
                                                  int64_t commit_no) const;

  const Journal& journal_;
  const memory::Database& database_;
  const Kindness kindness_;
  std::map<DeliveryId, Course> courses_;
  std::map<EndpointId, std::vector<const memory::StoredChange*>> changes_;
  std::map<EndpointId, std::vector<DeliveryId>> deliveries_of_;
  std::map<std::string, size_t> publication_of_;  // by key, which no two tenants share
  std::map<EndpointId, std::vector<const WireAttempt*>> wire_of_;
  std::map<EndpointId, std::vector<const memory::StoredAttempt*>> log_of_;  // as it was written
  std::vector<std::string> findings_;
};

}  // namespace postrider::simulation
