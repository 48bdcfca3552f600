// `data` given as a google.protobuf.Struct, printed as the one JSON text that is stored and sent.

#ifndef POSTRIDER_SERVER_ENVELOPE_STRUCT_JSON_H_
#define POSTRIDER_SERVER_ENVELOPE_STRUCT_JSON_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/struct.pb.h"
#include "server/envelope/json_text.h"

namespace postrider::envelope {

// Prints `data` as a JSON object without whitespace. The same content gives the same bytes in any
// process: the order in which a Struct holds its keys does not show.
//   keys     sorted by their UTF-8 bytes
//   strings  escaped as AppendJsonString does
//   numbers  see AppendJsonNumber
//
// INVALID_ARGUMENT for a NaN, an infinity, a value of which no kind is set, a key or string that is
// not UTF-8, more levels than limits.max_depth, or more bytes than limits.max_bytes. The message
// begins with the path of what is wrong, `data.a.b[2] is not a finite number`: `root`, then keys
// and positions in lists. A key that is no plain word of at most 40 characters shows as `.?`, and a
// long path is cut in the middle with `...`. Values are never quoted.
//
// Recursion is as deep as limits.max_depth allows, at about 200 bytes of stack a level: keep it
// under 1000. Thread-safe.
absl::StatusOr<std::string> PrintStruct(const google::protobuf::Struct& data,
                                        const JsonLimits& limits = {},
                                        std::string_view root = "data");

// Appends a finite `number` in the form of ECMAScript's Number::toString (ECMA-262, section
// 6.1.6.1.20), which RFC 8785 builds on: the shortest digits that read back as the same double,
// written plain from 1e-6 up to below 1e21 and with an exponent outside of it (`0.000001`, `1e-7`,
// `100000000000000000000`, `1e+21`). One exception: negative zero is `-0`, so that it survives.
// Requires a finite number. Thread-safe.
void AppendJsonNumber(double number, std::string* out);

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_STRUCT_JSON_H_
