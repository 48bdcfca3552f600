// Where the server is and who calls it.

#ifndef POSTRIDER_CLIENT_OPTIONS_H_
#define POSTRIDER_CLIENT_OPTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace postrider::client {

// The largest message in either direction; the server refuses larger requests.
inline constexpr int kMaxMessageBytes = 16 * 1024 * 1024;

// How long one call may take unless the caller says otherwise.
inline constexpr absl::Duration kDefaultCallTimeout = absl::Seconds(30);

struct ClientOptions {
  // `HOST:PORT`, with an IPv6 address in brackets, or `unix:PATH`.
  std::string address = "127.0.0.1:50051";

  // Sent as `authorization: Bearer KEY` with every call; empty: no credential. The connection is
  // not encrypted, so give a key only where the network between is trusted.
  std::string api_key;
};

// OK, or INVALID_ARGUMENT with a sentence that says what is wrong with the address or the key. The
// sentence repeats the address, never the key. Thread-safe.
absl::Status CheckOptions(const ClientOptions& options);

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_OPTIONS_H_
