#include "server/envelope/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace postrider::envelope {
namespace {

constexpr std::string_view kWildcardSuffix = ".*";

absl::Status Empty() { return absl::InvalidArgumentError("must not be empty"); }

absl::Status TooLong(size_t size, size_t limit) {
  return absl::InvalidArgumentError(
      absl::StrCat("is ", size, " bytes long, over the limit of ", limit, " bytes"));
}

bool IsDottedWords(std::string_view text) {
  bool in_word = false;
  for (char c : text) {
    if (c == '.') {
      if (!in_word) return false;
      in_word = false;
    } else if (absl::ascii_islower(static_cast<unsigned char>(c)) ||
               absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_') {
      in_word = true;
    } else {
      return false;
    }
  }
  return in_word;
}

}  // namespace

bool IsReservedEventType(std::string_view type) { return type.starts_with(kReservedTypePrefix); }

absl::Status CheckEventType(std::string_view type, ReservedTypes reserved) {
  if (type.empty()) return Empty();
  if (type.size() > kMaxEventTypeBytes) return TooLong(type.size(), kMaxEventTypeBytes);
  if (!IsDottedWords(type)) {
    return absl::InvalidArgumentError(
        "must be words of a-z, 0-9 and _, separated by single dots, such as message.received");
  }
  if (reserved == ReservedTypes::kRefuse && IsReservedEventType(type)) {
    return absl::InvalidArgumentError(
        "must not begin with postrider., which is reserved for Postrider's own events");
  }
  return absl::OkStatus();
}

absl::Status CheckSubscriptionPattern(std::string_view pattern) {
  if (pattern.empty()) return Empty();
  if (pattern.size() > kMaxEventTypeBytes) return TooLong(pattern.size(), kMaxEventTypeBytes);
  if (pattern == "*") {
    return absl::InvalidArgumentError(
        "must not be a bare *: leave the list empty to receive every type");
  }
  std::string_view words = pattern;
  if (words.ends_with(kWildcardSuffix)) words.remove_suffix(kWildcardSuffix.size());
  if (!IsDottedWords(words)) {
    return absl::InvalidArgumentError(
        "must be an event type, such as message.received, or one followed by .*, such as "
        "message.*");
  }
  return absl::OkStatus();
}

absl::Status CheckTenantId(std::string_view id) {
  if (id.empty()) return Empty();
  if (id.size() > kMaxTenantIdBytes) return TooLong(id.size(), kMaxTenantIdBytes);
  const bool valid = std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
  if (!valid) return absl::InvalidArgumentError("must consist of A-Z, a-z, 0-9, _ and -");
  return absl::OkStatus();
}

absl::Status CheckIdempotencyKey(std::string_view key) {
  if (key.empty()) return Empty();
  if (key.size() > kMaxIdempotencyKeyBytes) return TooLong(key.size(), kMaxIdempotencyKeyBytes);
  const bool valid =
      std::all_of(key.begin(), key.end(), [](unsigned char c) { return absl::ascii_isprint(c); });
  if (!valid) return absl::InvalidArgumentError("must be printable ASCII");
  return absl::OkStatus();
}

}  // namespace postrider::envelope
