// Publishing that survives lost connections, restarts and overload without making an event twice.

#ifndef POSTRIDER_CLIENT_PUBLISHER_H_
#define POSTRIDER_CLIENT_PUBLISHER_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/client.h"

namespace postrider::client {

// Where a Publisher gets time and chance from. Functions must be thread-safe if the Publisher is
// used by several threads; the defaults are.
struct Surroundings {
  std::function<absl::Time()> now;
  std::function<void(absl::Duration)> sleep;
  std::function<double()> random;  // in [0, 1)

  // The machine's clock, a real sleep and a generator seeded by the system.
  static Surroundings Real();
};

// A new idempotency key: `auto_` and 128 random bits in hex. Thread-safe.
std::string NewIdempotencyKey();

// Publishes with retries. Thread-safe; a call blocks its thread until the answer or the deadline.
class Publisher {
 public:
  // `client` must outlive the publisher.
  explicit Publisher(const Client& client, const RetryOptions& options = {},
                     Surroundings surroundings = Surroundings::Real());

  // Publishes one event. A request without `idempotency_key` gets a new one, unless it is
  // `validate_only`; all tries carry the same key, so the event is accepted once at most. An answer
  // with `duplicate` can then mean that an earlier try had arrived after all.
  //
  // Tries again after the codes of IsWorthRetrying, within the limits of the options and not before
  // the time that the server named, and returns the last error when those are used up; with
  // UNAVAILABLE and DEADLINE_EXCEEDED it is unknown whether the event was accepted. Every other
  // error is returned at once. INVALID_ARGUMENT, without a call, if the request is larger than
  // kMaxMessageBytes.
  absl::StatusOr<v1::PublishResponse> Publish(v1::PublishRequest request) const;

  // The same for a batch, in which every item without a key gets one of its own.
  absl::StatusOr<v1::BatchPublishResponse> PublishBatch(v1::BatchPublishRequest request) const;

 private:
  template <class Request, class Response>
  absl::StatusOr<Response> CallWithRetries(const Request& request) const;

  const Client& client_;
  const RetryOptions options_;
  const Surroundings surroundings_;
};

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_PUBLISHER_H_
