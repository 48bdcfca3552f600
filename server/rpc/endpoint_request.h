// The settings of an endpoint checked and made into what is stored.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "google/protobuf/field_mask.pb.h"
#include "postrider/v1/endpoint.pb.h"
#include "server/http/destination.h"
#include "server/rpc/errors.h"
#include "storage/model/records.h"

namespace postrider::rpc {

// What the server allows endpoints to be.
struct EndpointRules {
  http::DestinationPolicy policy;
  absl::Duration max_timeout = absl::Seconds(15);
};

using HeaderPairs = std::vector<std::pair<std::string, std::string>>;

// Settings that a caller may write, by field name.
using SettingNames = absl::flat_hash_set<std::string>;
const SettingNames& AllSettings();
// The settings that are set in a message: what an update without a mask changes.
SettingNames SetSettings(const v1::Endpoint& endpoint);
// The settings that a mask names; "*" is all of them. Output-only and unknown paths are errors of
// `update_mask`.
SettingNames MaskedSettings(const google::protobuf::FieldMask& mask, FieldErrors& errors);

// Checks the named settings and puts them into `config`; headers go to `headers`, names in lower
// case and values as given, because they are sealed before they are stored. Errors are under
// `endpoint.`.
void CheckSettings(const v1::Endpoint& endpoint, const SettingNames& names,
                   const EndpointRules& rules, EndpointConfig& config, HeaderPairs& headers,
                   FieldErrors& errors);

}  // namespace postrider::rpc
