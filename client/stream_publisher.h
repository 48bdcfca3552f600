// Publishing many events over one stream, which costs less than a call each, with the same promise
// as client/publisher.h: lost connections, restarts and overload make no event twice.

#ifndef POSTRIDER_CLIENT_STREAM_PUBLISHER_H_
#define POSTRIDER_CLIENT_STREAM_PUBLISHER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "client/backoff.h"
#include "client/options.h"
#include "postrider/v1/publisher_service.pb.h"

namespace postrider::client {

struct StreamOptions {
  // Of each event. `try_timeout`, `deadline`: from when it was given to Publish or is sent again.
  RetryOptions retry;
  // Events given to Publish and not answered; the server reads about 1000 ahead of its answers.
  int max_unanswered = 1000;
};

// One stream, opened at the first event and again whenever it was lost. Thread-safe.
class StreamPublisher {
 public:
  // What became of an event: called exactly once, on a thread that must not wait in it.
  using Done = absl::AnyInvocable<void(absl::StatusOr<v1::PublishResponse>)>;

  // INVALID_ARGUMENT as CheckOptions.
  static absl::StatusOr<StreamPublisher> Create(const ClientOptions& options,
                                                const StreamOptions& stream_options = {});

  // Waits for the answers to everything.
  ~StreamPublisher();
  StreamPublisher(StreamPublisher&&) noexcept;
  StreamPublisher& operator=(StreamPublisher&&) noexcept;

  // Sends one event, after a wait while `max_unanswered` are not answered. A request without
  // `idempotency_key` gets a new one, unless it is `validate_only`. Answers come in any order.
  //
  // Sent again, under the same key, after the codes of IsWorthRetrying and when the stream was
  // lost, within the limits of the options and not before the time that the server named; then
  // `done` gets the last error. With UNAVAILABLE and DEADLINE_EXCEEDED it is unknown whether the
  // event was accepted. INVALID_ARGUMENT, without being sent, if the request is larger than
  // kMaxMessageBytes.
  void Publish(v1::PublishRequest request, Done done);

  // Waits until everything given to Publish so far, and meanwhile, is answered.
  void Flush();

 private:
  class Sender;
  explicit StreamPublisher(std::unique_ptr<Sender> sender);

  std::unique_ptr<Sender> sender_;
};

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_STREAM_PUBLISHER_H_
