#ifndef POSTRIDER_TOOLS_POSTRIDER_PUBLISH_COMMAND_H_
#define POSTRIDER_TOOLS_POSTRIDER_PUBLISH_COMMAND_H_

#include "tools/postrider/command.h"

namespace postrider::cli {

// `event publish`: one event with retries, under an idempotency key that is made up if none is
// given. When it stays unknown whether the event was accepted, the error names the key.
Outcome PublishEvent(const Invocation& invocation);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_PUBLISH_COMMAND_H_
