// The Dispatcher driven by hand: a clock that stands still until it is moved, endpoints and
// deliveries named by small numbers.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/dispatch/dispatcher.h"

namespace postrider::dispatch {

EndpointId EndpointNo(int n);
DeliveryId DeliveryNo(int n);
EventId EventNo(int n);
AttemptId AttemptNo(int n);

// A secret of 32 equal bytes.
signing::HmacSecret SecretOf(char fill);

// Enabled, with https://example.com/N, one secret of 'a', the default schedule, 32 in flight and no
// threshold.
std::shared_ptr<Target> TargetNo(int n);

http::Result Answer(const http::Request& request, int status);

// The value of a request's header, "" when there is none.
std::string HeaderOf(const http::Request& request, std::string_view name);

// Numbers of the deliveries of requests and of releases, in order.
std::vector<int> DeliveriesOf(const std::vector<http::Request>& requests);
std::vector<int> DeliveriesOf(const std::vector<LeaseRef>& releases);

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() { Restart({}); }

  // A new dispatcher that is alive, joined, and has looked for changes just now.
  void Restart(const DispatchLimits& limits);

  // Deliveries `first` to `first + count - 1` of an endpoint, to be held for 12 s.
  std::vector<WorkItem> Items(int endpoint, int first, int count) const;
  void AddWork(int endpoint, int first, int count) {
    dispatcher_->AddWork(Items(endpoint, first, count));
  }
  // Endpoints were read just now.
  void Load(std::vector<std::shared_ptr<const Target>> targets) {
    dispatcher_->AddNews({std::move(targets), {}, now_});
  }

  // Time passes, and nothing else happens.
  void Advance(absl::Duration duration);
  // Time passes for a node that is well: it renews itself and looks for changes.
  void Pass(absl::Duration duration);

  Turn Run() { return dispatcher_->Run(now_, database_now_); }
  // Everything that was sent is answered.
  void AnswerAll(const std::vector<http::Request>& requests, int status);
  // Answers it and gives the one attempt that finished.
  FinishedAttempt Finish(http::Result result);

  Instant now_ = absl::Seconds(5000);
  absl::Time database_now_ = absl::FromUnixMillis(1772980200250);
  double random_ = 0;
  int attempts_ = 0;  // ids given
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace postrider::dispatch
