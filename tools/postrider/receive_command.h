#ifndef POSTRIDER_TOOLS_POSTRIDER_RECEIVE_COMMAND_H_
#define POSTRIDER_TOOLS_POSTRIDER_RECEIVE_COMMAND_H_

#include "tools/postrider/command.h"

namespace postrider::cli {

// `receive`: serves until SIGINT, SIGTERM or the number of accepted requests asked for. Writes to
// standard output as it goes: first `postrider receive listening on URL`, then every request, at
// last the totals. Blocks those two signals for the calling thread, so it must be the only one.
Outcome ReceiveWebhooks(const Invocation& invocation);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_RECEIVE_COMMAND_H_
