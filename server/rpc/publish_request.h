// A PublishRequest checked and made into what is stored.

#pragma once

#include <string>

#include "absl/time/time.h"
#include "postrider/v1/publisher_service.pb.h"
#include "server/envelope/json_text.h"
#include "server/rpc/caller.h"
#include "server/rpc/errors.h"
#include "storage/event_store.h"

namespace postrider::rpc {

// Fills `event` but its id, times of acceptance and body, and `data` with the JSON of the payload.
// What is wrong goes to `errors` under `prefix` ("" or "requests[3].").
void CheckPublish(const v1::PublishRequest& request, const Caller& caller,
                  const envelope::JsonLimits& limits, const std::string& prefix, NewEvent& event,
                  std::string& data, FieldErrors& errors);

// SHA-256 over what must be the same under one key, the event's time apart.
std::string ContentDigest(const NewEvent& event, const std::string& data);

// The rest, when the event is about to be accepted.
void SealEvent(EventId id, absl::Time now, const std::string& data, NewEvent& event);

}  // namespace postrider::rpc
