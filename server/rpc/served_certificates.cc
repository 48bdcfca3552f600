#include "server/rpc/served_certificates.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "server/observe/log.h"
#include "server/security/certificate.h"
#include "server/security/secret_bytes.h"

namespace postrider::rpc {
namespace {

constexpr absl::Duration kLook = absl::Seconds(1);
constexpr unsigned kGrpcLooksEverySeconds = 1;
// A chain, a key or a bundle of authorities.
constexpr std::streamoff kMaxFileBytes = 1 << 20;
constexpr absl::Duration kEndsSoon = absl::Hours(14 * 24);

absl::StatusOr<std::string> ReadFile(const std::string& path, const char* flag) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file || file.tellg() < 0 || file.tellg() > kMaxFileBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", path, " (", flag, "), or it is larger than 1 MiB"));
  }
  file.seekg(0);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

absl::Status Named(const absl::Status& status, const std::string& files) {
  return absl::FailedPreconditionError(absl::StrCat(files, ": ", std::string(status.message())));
}

}  // namespace

class ServedCertificates::MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("postrider-certificates", MFD_CLOEXEC)) {}
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_); }

  bool Replace(const std::string& content) {
    const int next = memfd_create("postrider-certificates", MFD_CLOEXEC);
    // gRPC compares times, to the second, before and after it reads: each content has its own.
    ++version_;
    const timespec times[2] = {{version_, 0}, {version_, 0}};
    const bool replaced =
        next >= 0 &&
        write(next, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
        futimens(next, times) == 0 && dup3(next, fd_, O_CLOEXEC) == fd_;
    if (next >= 0) close(next);
    return replaced;
  }

 private:
  const int fd_;
  time_t version_ = 0;
};

ServedCertificates::ServedCertificates(CertificateFiles files)
    : files_(std::move(files)),
      identity_(std::make_unique<MemoryFile>()),
      authorities_(std::make_unique<MemoryFile>()) {}

ServedCertificates::~ServedCertificates() {
  stop_.Stop();
  thread_.Join();
  security::Cleanse(served_.key.data(), served_.key.size());
}

absl::StatusOr<std::unique_ptr<ServedCertificates>> ServedCertificates::Open(
    CertificateFiles files) {
  std::unique_ptr<ServedCertificates> served(new ServedCertificates(std::move(files)));
  absl::StatusOr<Content> content = served->Read();
  if (!content.ok()) return content.status();
  if (absl::Status status = served->Serve(*content); !status.ok()) return status;
  const std::string identity = served->identity_->path();
  const std::string authorities =
      served->files_.client_authorities.empty() ? "" : served->authorities_->path();
  served->provider_ = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      identity, identity, authorities, kGrpcLooksEverySeconds);
  served->thread_ = NamedThread("certificates", [s = served.get()] { s->Follow(); });
  return served;
}

std::shared_ptr<grpc::ServerCredentials> ServedCertificates::NewCredentials() const {
  grpc::experimental::TlsServerCredentialsOptions options(provider_);
  options.watch_identity_key_cert_pairs();
  if (!files_.client_authorities.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

absl::StatusOr<ServedCertificates::Content> ServedCertificates::Read() const {
  Content content;
  absl::StatusOr<std::string> certificate = ReadFile(files_.certificate, "--tls-cert");
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<std::string> key = ReadFile(files_.key, "--tls-key");
  if (!key.ok()) return key.status();
  content.certificate = *std::move(certificate);
  content.key = *std::move(key);
  if (files_.client_authorities.empty()) return content;
  absl::StatusOr<std::string> authorities = ReadFile(files_.client_authorities, "--tls-client-ca");
  if (!authorities.ok()) return authorities.status();
  content.client_authorities = *std::move(authorities);
  return content;
}

absl::Status ServedCertificates::Serve(const Content& content) {
  absl::StatusOr<absl::Time> end =
      security::CheckCertificateAndKey(content.certificate, content.key);
  if (!end.ok()) {
    return Named(end.status(), absl::StrCat(files_.certificate, " and ", files_.key));
  }
  if (!files_.client_authorities.empty()) {
    absl::Status checked = security::CheckAuthorities(content.client_authorities);
    if (!checked.ok()) return Named(checked, files_.client_authorities);
    if (!authorities_->Replace(content.client_authorities)) {
      return absl::InternalError("cannot keep the authorities in memory");
    }
  }
  // Key and chain in one file, so that gRPC never sees one without the other.
  std::string identity = absl::StrCat(content.key, "\n", content.certificate);
  const bool replaced = identity_->Replace(identity);
  security::Cleanse(identity.data(), identity.size());
  if (!replaced) return absl::InternalError("cannot keep the certificate in memory");
  served_ = content;
  // People compare it with their own clocks, so it is judged by this machine's.
  const bool soon = *end < absl::Now() + kEndsSoon;
  observe::Log(
      soon ? observe::Severity::kWarning : observe::Severity::kInfo,
      soon ? "serving with a certificate that ends soon" : "serving with a certificate",
      {{"file", files_.certificate}, {"ends", absl::FormatTime(*end, absl::UTCTimeZone())}});
  return absl::OkStatus();
}

void ServedCertificates::Follow() {
  while (stop_.WaitFor(kLook)) {
    absl::StatusOr<Content> content = Read();
    if (content.ok() && *content == served_) continue;
    absl::Status status = content.status();
    if (status.ok()) status = Serve(*content);
    if (!status.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning,
                           "new certificates cannot be used; the ones before are still served",
                           {{"error", std::string(status.message())}});
    }
  }
}

}  // namespace postrider::rpc
