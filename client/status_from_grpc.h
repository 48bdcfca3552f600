// The end of a gRPC call as an absl::Status.

#ifndef POSTRIDER_CLIENT_STATUS_FROM_GRPC_H_
#define POSTRIDER_CLIENT_STATUS_FROM_GRPC_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace postrider::client {

// The same code, with a message that is one plain sentence without its full stop: every refused
// field with what is wrong with it if the server named fields, else the server's text, and the
// stable reason in brackets at its end. Details are kept as payloads under their type URL.
// Thread-safe.
absl::Status StatusFromGrpc(const grpc::Status& status);

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_STATUS_FROM_GRPC_H_
