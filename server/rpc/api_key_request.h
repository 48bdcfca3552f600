// The settings of a key checked and made into what is stored.

#pragma once

#include "postrider/v1/api_key.pb.h"
#include "server/rpc/caller.h"
#include "server/rpc/errors.h"
#include "storage/model/callers.h"

namespace postrider::rpc {

// Fills `key` but its id and times of the server. What is wrong is under `api_key.`; more than
// `caller` may give away is forbidden.
void CheckApiKey(const v1::ApiKey& given, const Caller& caller, absl::Time now, ApiKey& key,
                 FieldErrors& errors);

}  // namespace postrider::rpc
