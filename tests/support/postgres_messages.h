#ifndef POSTRIDER_TESTS_SUPPORT_POSTGRES_MESSAGES_H_
#define POSTRIDER_TESTS_SUPPORT_POSTGRES_MESSAGES_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace postrider::testing {

// One message of PostgreSQL's protocol (version 3) at the beginning of some bytes.
struct PostgresMessage {
  char type = 0;           // 0: the untyped first message of a client.
  size_t size = 0;         // Of all of it, in bytes.
  absl::string_view body;  // Lives as long as the bytes.
};

// The message that `bytes` begin with; none while it is not complete. `first`: the first one of a
// client, which has no type.
std::optional<PostgresMessage> FirstMessage(absl::string_view bytes, bool first);

// The statement that a client's message runs: the name of a prepared one (Bind) or the text of a
// simple query; "" for other messages.
std::string StatementOf(const PostgresMessage& message);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_POSTGRES_MESSAGES_H_
