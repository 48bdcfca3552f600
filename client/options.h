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

// How the connection is encrypted. Files are in PEM form and are read when the channel is made.
struct TlsOptions {
  bool enabled = false;
  std::string ca_file;    // authorities that vouch for the server; empty: the system's
  std::string cert_file;  // a client certificate, given together with its key; empty: none
  std::string key_file;
};

struct ClientOptions {
  // `HOST:PORT`, with an IPv6 address in brackets, or `unix:PATH`.
  std::string address = "127.0.0.1:50051";

  // Sent as `authorization: Bearer KEY` with every call; empty: no credential. Without TLS the
  // connection is not encrypted: give a key only where the network between is trusted.
  std::string api_key;

  TlsOptions tls;
};

// OK, or INVALID_ARGUMENT with a sentence that says what is wrong with the address, the key or the
// files of TLS. The sentence repeats the address, never the key. Thread-safe.
absl::Status CheckOptions(const ClientOptions& options);

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_OPTIONS_H_
