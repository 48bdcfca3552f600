#include "tests/http/tls_receiver.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace postrider::http {
namespace {

X509* MakeCertificate(EVP_PKEY* key, const TlsReceiver::Options& options) {
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.expired ? -3600 : 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test receiver"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  const std::string names = absl::StrCat("DNS:", options.certificate_host);
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(certificate, key, EVP_sha256());
  return certificate;
}

}  // namespace

TlsReceiver::TlsReceiver(const Options& options) : context_(SSL_CTX_new(TLS_server_method())) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = MakeCertificate(key, options);
  SSL_CTX_use_certificate(context_, certificate);
  SSL_CTX_use_PrivateKey(context_, key);
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context_, options.max_tls_version);

  certificate_file_ = absl::StrCat(testing::TempDir(), "/tls_receiver_XXXXXX");
  const int fd = mkstemp(certificate_file_.data());
  FILE* const file = fdopen(fd, "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);

  receiver_ = std::make_unique<ScriptedReceiver>(
      [this](ScriptedReceiver::Connection& connection) { Serve(connection); });
}

TlsReceiver::~TlsReceiver() {
  receiver_.reset();
  SSL_CTX_free(context_);
  unlink(certificate_file_.c_str());
}

std::string TlsReceiver::url(const std::string& host) const {
  return absl::StrCat("https://", host, ":", receiver_->port(), "/hook");
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
    std::string received;
    char bytes[4096];
    int count;
    while ((count = SSL_read(ssl, bytes, sizeof(bytes))) > 0) {
      received.append(bytes, count);
      // The tests' body ends with the only closing brace.
      if (received.back() != '}') continue;
      received.clear();
      ++requests_;
      const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      SSL_write(ssl, response.data(), static_cast<int>(response.size()));
    }
  }
  SSL_free(ssl);
}

}  // namespace postrider::http
