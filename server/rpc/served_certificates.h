// The server's certificate, its key and the authorities of client certificates, followed in their
// files: who replaces them needs no restart.
//
// gRPC 1.51 follows files too (FileWatcherCertificateProvider), but takes whatever it finds:
// measured, a certificate whose key is not yet replaced refuses every new connection. So it is
// given files of ours, in memory alone, and they change only when what was read fits together. Else
// the log says so and what was served before stays.

#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/runtime/thread.h"

namespace grpc {
class ServerCredentials;
namespace experimental {
class FileWatcherCertificateProvider;
}
}  // namespace grpc

namespace postrider::rpc {

struct CertificateFiles {
  std::string certificate;  // PEM: the server's, then the intermediate ones
  std::string key;
  std::string client_authorities;  // PEM; empty: no client certificates are asked for
};

class ServedCertificates {
 public:
  // Reads and checks; FAILED_PRECONDITION says in plain words what is wrong. Follows the files on a
  // thread "certificates", looking every second; gRPC looks every second too.
  static absl::StatusOr<std::unique_ptr<ServedCertificates>> Open(CertificateFiles files);
  ~ServedCertificates();

  // Of one listener. TLS 1.2 and newer; a client certificate is not required, but one that no
  // authority vouches for ends the handshake.
  std::shared_ptr<grpc::ServerCredentials> NewCredentials() const;

 private:
  // A file in memory with a path that stays while its content is replaced at once.
  class MemoryFile;
  struct Content {
    std::string certificate;
    std::string key;
    std::string client_authorities;
    bool operator==(const Content&) const = default;
  };

  explicit ServedCertificates(CertificateFiles files);
  absl::StatusOr<Content> Read() const;
  absl::Status Serve(const Content& content);
  void Follow();

  const CertificateFiles files_;
  Content served_;
  std::unique_ptr<MemoryFile> identity_;
  std::unique_ptr<MemoryFile> authorities_;
  std::shared_ptr<grpc::experimental::FileWatcherCertificateProvider> provider_;
  StopSignal stop_;
  NamedThread thread_;
};

}  // namespace postrider::rpc
