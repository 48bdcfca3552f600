#ifndef POSTRIDER_TOOLS_POSTRIDER_VERIFY_COMMAND_H_
#define POSTRIDER_TOOLS_POSTRIDER_VERIFY_COMMAND_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/signing/verify.h"
#include "tools/postrider/args.h"
#include "tools/postrider/command.h"

namespace postrider::cli {

// `verify`: checks the signature of a request that was received elsewhere. Calls no server. Exit 0
// and `valid`, or exit 1 and the reason.
Outcome VerifySignature(const Invocation& invocation);

// Every `--secret`, decoded. INVALID_ARGUMENT with a sentence that shows none of them.
absl::StatusOr<std::vector<signing::VerifyingKey>> ReadSecrets(const Args& args);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_VERIFY_COMMAND_H_
