#include "server/rpc/listeners.h"

#include <algorithm>

#include "grpcpp/security/auth_context.h"
#include "grpcpp/security/auth_metadata_processor.h"
#include "grpcpp/security/server_credentials.h"

namespace postrider::rpc {
namespace {

constexpr char kMark[] = "postrider_local_listener";

class MarkLocal : public grpc::AuthMetadataProcessor {
 public:
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata&, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    context->AddProperty(kMark, "1");
    return grpc::Status::OK;
  }
};

}  // namespace

std::vector<Listener> MakeListeners(const std::vector<ListenAddress>& addresses,
                                    const ServedCertificates* certificates) {
  const bool mixed = std::any_of(addresses.begin(), addresses.end(), [](const ListenAddress& a) {
    return !a.is_unix && !a.is_loopback;
  });
  std::vector<Listener> listeners;
  for (const ListenAddress& address : addresses) {
    Listener listener{address.address, nullptr};
    if (address.is_unix || (certificates == nullptr && !(mixed && address.is_loopback))) {
      listener.credentials = grpc::InsecureServerCredentials();
    } else if (certificates == nullptr) {
      // In the clear too; gRPC itself looks at the connection, and says so of the call.
      listener.credentials = grpc::experimental::LocalServerCredentials(LOCAL_TCP);
    } else {
      listener.credentials = certificates->NewCredentials();
      if (mixed && address.is_loopback) {
        listener.credentials->SetAuthMetadataProcessor(std::make_shared<MarkLocal>());
      }
    }
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

bool IsMarkedLocal(const grpc::AuthContext& auth) {
  if (!auth.FindPropertyValues(kMark).empty()) return true;
  for (const grpc::string_ref& type : auth.FindPropertyValues("transport_security_type")) {
    if (type == "local") return true;
  }
  return false;
}

}  // namespace postrider::rpc
