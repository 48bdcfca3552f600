// Turns flags into a request, by the field paths of the table.

#ifndef POSTRIDER_TOOLS_POSTRIDER_FILL_REQUEST_H_
#define POSTRIDER_TOOLS_POSTRIDER_FILL_REQUEST_H_

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "tools/postrider/args.h"
#include "tools/postrider/command.h"

namespace postrider::cli {

// Sets every field of `request` that a given flag, or the argument, names. How a value is read
// follows from the type of its field: spans as `30s`, lists of spans divided by commas, times in
// RFC 3339, enum values without their prefix and in any case, entries of a map divided by the `:`
// or `=` that the flag's value shows in the help.
//
// If the request has an `update_mask`, the paths of the given flags go into it, and an empty value
// leaves the field unset so that the update resets it; elsewhere an empty value is refused, lest a
// shell variable that is not set widen what a command does.
//
// INVALID_ARGUMENT with one sentence that names the flag. Requires that every path of the table
// exists in the request. Thread-safe.
absl::Status FillRequest(const Command& command, const Args& args,
                         google::protobuf::Message* request);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_FILL_REQUEST_H_
