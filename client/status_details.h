// What an error of the server says beside its code and text. A status that comes from
// client/client.h carries the details of google.rpc as payloads; these functions read them.

#ifndef POSTRIDER_CLIENT_STATUS_DETAILS_H_
#define POSTRIDER_CLIENT_STATUS_DETAILS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace postrider::client {

// What the name of a detail's type begins with in an Any, and in the payload of a status.
inline constexpr char kTypeUrlPrefix[] = "type.googleapis.com/";

// The least time to wait before the next try, 0 or more. Nothing if the server named none.
// Thread-safe.
std::optional<absl::Duration> RetryDelay(const absl::Status& status);

// The stable reason of the error, such as `ENDPOINT_NOT_FOUND`. Empty if the server gave none, and
// for errors that did not come from the server, such as a refused connection. Thread-safe.
std::string ErrorReason(const absl::Status& status);

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_STATUS_DETAILS_H_
