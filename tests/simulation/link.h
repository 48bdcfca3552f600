// The stores as a node has them: over a link that delays, loses and breaks. A call gives the thread
// back until its answer is there.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/dispatch_store.h"
#include "storage/endpoint_store.h"
#include "storage/event_store.h"
#include "storage/node_store.h"
#include "tests/memory/database.h"
#include "tests/simulation/fiber.h"
#include "tests/simulation/network.h"
#include "tests/simulation/timeline.h"

namespace postrider::simulation {

// Whose link it is.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual int node() const = 0;
  virtual bool alive() const = 0;
  // Gives the thread back for so long; less when this caller dies.
  virtual void Sleep(absl::Duration wait) = 0;
};

class Link {
 public:
  Link(Timeline& timeline, Network& network, memory::Database& database, Caller& caller,
       absl::Duration deadline)
      : timeline_(timeline),
        network_(network),
        database_(database),
        caller_(caller),
        deadline_(deadline) {}

  template <typename T>
  absl::StatusOr<T> Run(std::function<absl::StatusOr<T>(memory::Database&)> statement,
                        bool may_race = false) {
    if (!caller_.alive()) return absl::UnavailableError("nobody is there");
    const Fate fate = network_.FateOf(caller_.node(), deadline_, may_race);
    auto answer = std::make_shared<std::optional<absl::StatusOr<T>>>();
    if (fate.applies) {
      // Whatever happens to its caller meanwhile.
      timeline_.After(fate.applied,
                      [this_node = caller_.node(), &network = network_, &database = database_,
                       answer, statement = std::move(statement)] {
                        if (network.Reaches(this_node)) *answer = statement(database);
                      });
    }
    caller_.Sleep(fate.answered);
    if (!caller_.alive() || !fate.answer_arrives || !network_.Reaches(caller_.node()) ||
        !answer->has_value()) {
      return fate.error;
    }
    return **std::move(answer);
  }

 private:
  Timeline& timeline_;
  Network& network_;
  memory::Database& database_;
  Caller& caller_;
  const absl::Duration deadline_;
};

struct Nothing {};

class LinkedEventAcceptor : public EventAcceptor {
 public:
  explicit LinkedEventAcceptor(Link link) : link_(link) {}
  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override {
    auto results = link_.Run<std::vector<AcceptResult>>(
        [=](memory::Database& database) { return database.Accept(events, batches, lease); }, true);
    if (absl::IsUnavailable(results.status()) || absl::IsDeadlineExceeded(results.status())) {
      return absl::UnknownError(results.status().message());
    }
    return results;
  }

 private:
  Link link_;
};

class LinkedDispatchStore : public DispatchStore {
 public:
  explicit LinkedDispatchStore(Link link) : link_(link) {}

  absl::StatusOr<std::vector<DueEndpoint>> FindDue(EndpointId after, int32_t limit) override {
    return link_.Run<std::vector<DueEndpoint>>(
        [=](memory::Database& database) { return database.FindDue(after, limit); });
  }
  absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>& orders,
                                                     int32_t node_no,
                                                     absl::Duration lease) override {
    return link_.Run<std::vector<ClaimedDelivery>>(
        [=](memory::Database& database) { return database.Claim(orders, node_no, lease); });
  }
  absl::Status Release(const std::vector<LeaseRef>& leases) override {
    return Do([=](memory::Database& database) { database.Release(leases); });
  }
  absl::Status ReleaseUntold(const std::vector<EventId>& events, int32_t node_no) override {
    return Do([=](memory::Database& database) { database.ReleaseUntold(events, node_no); });
  }
  absl::Status Expire(const std::vector<LeaseRef>& leases) override {
    return Do([=](memory::Database& database) { database.Expire(leases); });
  }
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override {
    return link_.Run<std::vector<EndpointCount>>(
        [=](memory::Database& database) { return database.Record(outcomes, tallies); });
  }
  absl::StatusOr<std::vector<LeaseRef>> LeasesHeld(const std::vector<LeaseRef>& leases) override {
    return link_.Run<std::vector<LeaseRef>>(
        [=](memory::Database& database) { return database.LeasesHeld(leases); });
  }
  absl::StatusOr<std::vector<LeaseRef>> LeasesAwaited(
      const std::vector<LeaseRef>& leases) override {
    return link_.Run<std::vector<LeaseRef>>(
        [=](memory::Database& database) { return database.LeasesAwaited(leases); });
  }
  absl::StatusOr<std::vector<EndpointCount>> RecordLate(
      const OutcomeRecord& outcome, const std::vector<EndpointTally>& tallies) override {
    return link_.Run<std::vector<EndpointCount>>(
        [=](memory::Database& database) { return database.RecordLate(outcome, tallies); });
  }
  absl::Status Poison(const OutcomeRecord& outcome) override {
    return Do([=](memory::Database& database) { database.Poison(outcome); });
  }
  absl::Status AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no) override {
    return Do([=](memory::Database& database) { database.AddTotals(totals, node_no); });
  }
  absl::StatusOr<std::vector<FreedWork>> TakeOver(const std::vector<int32_t>& gone,
                                                  const std::vector<int32_t>& live, int32_t limit,
                                                  absl::Duration lease) override {
    return link_.Run<std::vector<FreedWork>>(
        [=](memory::Database& database) { return database.TakeOver(gone, live, limit, lease); });
  }

 private:
  absl::Status Do(std::function<void(memory::Database&)> statement) {
    return link_
        .Run<Nothing>([statement = std::move(statement)](memory::Database& database) {
          statement(database);
          return Nothing{};
        })
        .status();
  }

  Link link_;
};

class LinkedNodeStore : public NodeStore {
 public:
  explicit LinkedNodeStore(Link link) : link_(link) {}
  absl::StatusOr<NodeRegistration> Register(const std::string& node_id) override {
    absl::StatusOr<NodeRegistration> made = link_.Run<NodeRegistration>(
        [=](memory::Database& database) { return database.Register(node_id); });
    if (made.ok()) {
      node_id_ = node_id;
      epoch_ = made->epoch;
    }
    return made;
  }
  absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) override {
    return link_.Run<HeartbeatAnswer>(
        [=, node_id = node_id_, epoch = epoch_](memory::Database& database) {
          return database.Heartbeat(node_no, node_id, epoch);
        });
  }
  absl::Status MarkStopped(int32_t node_no) override {
    return link_
        .Run<Nothing>([=](memory::Database& database) {
          database.MarkStopped(node_no);
          return Nothing{};
        })
        .status();
  }
  absl::Status Forget(const std::vector<int32_t>& node_nos) override {
    return link_
        .Run<Nothing>([=](memory::Database& database) {
          database.Forget(node_nos);
          return Nothing{};
        })
        .status();
  }

 private:
  Link link_;
  std::string node_id_;
  int32_t epoch_ = 0;
};

class LinkedEndpointReader : public EndpointReader {
 public:
  explicit LinkedEndpointReader(Link link) : link_(link) {}
  absl::StatusOr<std::vector<EndpointForDispatch>> Load(
      const std::vector<EndpointId>& ids) override {
    return link_.Run<std::vector<EndpointForDispatch>>(
        [=](memory::Database& database) { return database.Load(ids); });
  }
  absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) override {
    return link_.Run<EndpointChanges>(
        [=](memory::Database& database) { return database.ChangesSince(position); });
  }

 private:
  Link link_;
};

}  // namespace postrider::simulation
