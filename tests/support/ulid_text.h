#ifndef POSTRIDER_TESTS_SUPPORT_ULID_TEXT_H_
#define POSTRIDER_TESTS_SUPPORT_ULID_TEXT_H_

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace postrider::testing {

// The time in a ULID of 26 characters of Crockford's base 32 (upper case, no I, L, O, U; the first
// one at most 7); none if it is not one. Written apart from the server's own code.
std::optional<absl::Time> TimeOfUlid(const std::string& text);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_ULID_TEXT_H_
