// How each address is listened on: in the clear or with TLS, and whether who calls there is on this
// machine.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/rpc/served_certificates.h"

namespace grpc {
class AuthContext;
class AuthMetadataProcessor;
class ServerCredentials;
}  // namespace grpc

namespace postrider::rpc {

struct Listener {
  std::string address;  // HOST:PORT or unix:PATH
  std::shared_ptr<grpc::ServerCredentials> credentials;
};

struct ListenAddress {
  std::string address;
  bool is_unix = false;
  bool is_loopback = false;  // an address that nobody outside this machine reaches
  bool is_trusted = false;   // who calls there needs no credential
};

// Unix sockets are in the clear, and so is the rest without `certificates` (null: no TLS). When
// there are other listeners beside trusted loopback addresses, the latter are marked. Where a
// credential is needed the `door` asks for it; gRPC has none where others than this machine are
// listened to in the clear.
std::vector<Listener> MakeListeners(const std::vector<ListenAddress>& addresses,
                                    const ServedCertificates* certificates,
                                    const std::shared_ptr<grpc::AuthMetadataProcessor>& door);

// Whether a call came in by a marked listener.
bool IsMarkedLocal(const grpc::AuthContext& auth);

}  // namespace postrider::rpc
