#include "tests/http/tls_receiver.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace postrider::http {
namespace {

void AddExtension(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Not signed yet. By itself if there is no issuer.
X509* MakeCertificate(EVP_PKEY* key, const std::string& name, long seconds_left, X509* issuer) {
  static std::atomic<int> serial{1};
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), seconds_left);
  X509_set_pubkey(certificate, key);
  X509_NAME* const subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", V_ASN1_UTF8STRING,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, issuer == nullptr ? subject : X509_get_subject_name(issuer));
  return certificate;
}

int RefuseClient(int, X509_STORE_CTX*) { return 0; }

void AlwaysOk(ScriptedReceiver::Connection& c) {
  while (c.ReadRequest() && c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
  }
}

}  // namespace

TestAuthority::TestAuthority()
    : key_(EVP_EC_gen("P-256")),
      certificate_(MakeCertificate(key_, "test authority", 3600, nullptr)) {
  AddExtension(certificate_, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate_, NID_key_usage, "critical,keyCertSign");
  X509_sign(certificate_, key_, EVP_sha256());
  certificate_file_ = absl::StrCat(testing::TempDir(), "/test_authority_XXXXXX");
  FILE* const file = fdopen(mkstemp(certificate_file_.data()), "w");
  PEM_write_X509(file, certificate_);
  std::fclose(file);
}

TestAuthority::~TestAuthority() {
  unlink(certificate_file_.c_str());
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

TlsReceiver::TlsReceiver(const TestAuthority& authority, const Options& options,
                         ScriptedReceiver::Script script)
    : options_(options),
      script_(script == nullptr ? AlwaysOk : std::move(script)),
      context_(SSL_CTX_new(TLS_server_method())) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const issuer = options.self_signed ? nullptr : authority.certificate();
  EVP_PKEY* const issuer_key = options.self_signed ? key : authority.key();
  X509* const certificate =
      MakeCertificate(key, options.common_name, options.expired ? -3600 : 3600, issuer);
  if (!options.certificate_host.empty()) {
    AddExtension(certificate, NID_subject_alt_name, absl::StrCat("DNS:", options.certificate_host));
  }
  X509_sign(certificate, issuer_key, EVP_sha256());
  SSL_CTX_use_certificate(context_, certificate);
  SSL_CTX_use_PrivateKey(context_, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context_, options.max_tls_version);
  SSL_CTX_set_alpn_select_cb(context_, &TlsReceiver::SelectProtocol, this);
  if (options.wants_client_certificate) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, RefuseClient);
  }
  receiver_ = std::make_unique<ScriptedReceiver>(
      [this](ScriptedReceiver::Connection& connection) { Serve(connection); });
}

TlsReceiver::~TlsReceiver() {
  receiver_.reset();
  SSL_CTX_free(context_);
}

std::string TlsReceiver::url(const std::string& host) const {
  return absl::StrCat("https://", host, ":", receiver_->port(), "/hook");
}

std::string TlsReceiver::offered_protocols() const {
  absl::MutexLock lock(&mutex_);
  return offered_;
}

int TlsReceiver::SelectProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                                const unsigned char* offered, unsigned int offered_size,
                                void* self_pointer) {
  auto* const self = static_cast<TlsReceiver*>(self_pointer);
  const std::string all(reinterpret_cast<const char*>(offered), offered_size);
  {
    absl::MutexLock lock(&self->mutex_);
    self->offered_ = all;
  }
  const std::string& wanted = self->options_.only_protocol;
  if (wanted.empty()) return SSL_TLSEXT_ERR_NOACK;
  const std::string entry = std::string(1, static_cast<char>(wanted.size())) + wanted;
  if (all.find(entry) == std::string::npos) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = reinterpret_cast<const unsigned char*>(wanted.data());
  *chosen_size = static_cast<unsigned char>(wanted.size());
  return SSL_TLSEXT_ERR_OK;
}

void TlsReceiver::Serve(ScriptedReceiver::Connection& connection) {
  // OpenSSL writes to the socket without MSG_NOSIGNAL.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  SSL* const ssl = SSL_new(context_);
  SSL_set_fd(ssl, connection.fd());
  if (SSL_accept(ssl) == 1) {
    connection.SetTransport({[ssl](char* bytes, size_t size) -> ssize_t {
                               return SSL_read(ssl, bytes, static_cast<int>(size));
                             },
                             [ssl](const char* bytes, size_t size) -> ssize_t {
                               return SSL_write(ssl, bytes, static_cast<int>(size));
                             }});
    script_(connection);
    if (options_.close_notify) SSL_shutdown(ssl);
  }
  SSL_free(ssl);
}

}  // namespace postrider::http
