#include "server/rpc/listeners.h"

#include <algorithm>

#include "absl/synchronization/mutex.h"
#include "grpcpp/security/auth_context.h"
#include "grpcpp/security/auth_metadata_processor.h"
#include "grpcpp/security/server_credentials.h"

namespace postrider::rpc {
namespace {

constexpr char kMark[] = "postrider_local_listener";

// The AuthContext is one for all calls of a connection. So it is marked once, before the first of
// them is handed over, and not changed while others read it.
class MarkLocal : public grpc::AuthMetadataProcessor {
 public:
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata&, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    absl::MutexLock lock(&mutex_);
    if (context->FindPropertyValues(kMark).empty()) context->AddProperty(kMark, "1");
    return grpc::Status::OK;
  }

 private:
  absl::Mutex mutex_;
};

}  // namespace

std::vector<Listener> MakeListeners(const std::vector<ListenAddress>& addresses,
                                    const ServedCertificates* certificates,
                                    const std::shared_ptr<grpc::AuthMetadataProcessor>& door) {
  const bool all_local =
      std::all_of(addresses.begin(), addresses.end(),
                  [](const ListenAddress& a) { return a.is_unix || a.is_loopback; });
  std::vector<Listener> listeners;
  for (const ListenAddress& address : addresses) {
    Listener listener{address.address, nullptr};
    const bool marked = address.is_trusted && address.is_loopback && !all_local;
    if (certificates != nullptr && !address.is_unix) {
      listener.credentials = certificates->NewCredentials();
    } else if ((marked || !address.is_trusted) && (address.is_unix || address.is_loopback)) {
      // In the clear too; gRPC itself looks at the connection, and says so of the call.
      listener.credentials =
          grpc::experimental::LocalServerCredentials(address.is_unix ? UDS : LOCAL_TCP);
    } else {
      listener.credentials = grpc::InsecureServerCredentials();
      listeners.push_back(std::move(listener));
      continue;
    }
    if (!address.is_trusted) {
      listener.credentials->SetAuthMetadataProcessor(door);
    } else if (marked) {
      listener.credentials->SetAuthMetadataProcessor(std::make_shared<MarkLocal>());
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
