// The check that every `data_json` passes before it is accepted.

#ifndef POSTRIDER_SERVER_ENVELOPE_JSON_CHECK_H_
#define POSTRIDER_SERVER_ENVELOPE_JSON_CHECK_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/envelope/json_text.h"

namespace postrider::envelope {

// Checks that `text` is exactly one JSON object (RFC 8259) between optional whitespace, and gives
// back the part of `text` from its first brace to its last: those bytes are what is sent.
//
// Refused besides what the grammar forbids: a byte order mark, bytes that are not UTF-8, \u escapes
// of half a surrogate pair, a key given twice in one object (compared as decoded, so "a" and
// "\u0061" are the same key), and more than `limits`. Numbers of any size and precision are fine:
// nothing is converted.
//
// INVALID_ARGUMENT with a text that follows a field's name ("data_json" + " " + message), such as
// `is not a valid JSON object: byte 17: expected ':' after a key`, `is 262145 bytes long, over the
// limit of 262144 bytes` or `is nested deeper than the limit of 64 levels: byte 320`. Offsets count
// bytes of `text` from 0. The text never quotes the payload.
//
// One pass without recursion, in time proportional to the size whatever the content (keys are kept
// in a hash set that is seeded per process once an object has many). Memory: at most about 100
// bytes per key. Thread-safe.
absl::StatusOr<std::string_view> CheckJsonObject(std::string_view text,
                                                 const JsonLimits& limits = {});

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_JSON_CHECK_H_
