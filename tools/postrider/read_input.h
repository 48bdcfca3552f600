// Files and standard input as text, with a limit.

#ifndef POSTRIDER_TOOLS_POSTRIDER_READ_INPUT_H_
#define POSTRIDER_TOOLS_POSTRIDER_READ_INPUT_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace postrider::cli {

// The most that is read: what one call can carry.
inline constexpr size_t kMaxInputBytes = 16 * 1024 * 1024;

// All bytes of the file at `path`, or of standard input for `-`. INVALID_ARGUMENT with one sentence
// if it cannot be read or is larger than kMaxInputBytes.
absl::StatusOr<std::string> ReadInput(const std::string& path);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_READ_INPUT_H_
