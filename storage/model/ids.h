// Strong ids. Each resource has its own type over a ULID and its own text prefix (API: `evt_ ep_
// dlv_ att_`), so that an endpoint's id cannot be passed for a delivery's.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/model/ulid.h"

namespace postrider {

template <typename Tag>
struct Id {
  Ulid ulid;

  auto operator<=>(const Id&) const = default;
  bool is_zero() const { return ulid.is_zero(); }

  // Prefix and 26 characters, as in "evt_01JQ8X5K2M3N4P5R6S7T8V9WXY".
  std::string ToText() const { return std::string(Tag::kPrefix) + ulid.ToText(); }

  static std::optional<Id> Parse(std::string_view text) {
    constexpr std::string_view kPrefix = Tag::kPrefix;
    if (text.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
    const auto ulid = Ulid::Parse(text.substr(kPrefix.size()));
    if (!ulid) return std::nullopt;
    return Id{*ulid};
  }

  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.ulid);
  }
};

struct EventTag {
  static constexpr std::string_view kPrefix = "evt_";
};
struct EndpointTag {
  static constexpr std::string_view kPrefix = "ep_";
};
struct DeliveryTag {
  static constexpr std::string_view kPrefix = "dlv_";
};
struct AttemptTag {
  static constexpr std::string_view kPrefix = "att_";
};
struct ApiKeyTag {
  static constexpr std::string_view kPrefix = "key_";
};
struct AuditRecordTag {
  static constexpr std::string_view kPrefix = "aud_";
};

using EventId = Id<EventTag>;
using EndpointId = Id<EndpointTag>;
using DeliveryId = Id<DeliveryTag>;
using AttemptId = Id<AttemptTag>;
using ApiKeyId = Id<ApiKeyTag>;
using AuditRecordId = Id<AuditRecordTag>;

}  // namespace postrider
