#ifndef POSTRIDER_TESTS_HTTP_TLS_RECEIVER_H_
#define POSTRIDER_TESTS_HTTP_TLS_RECEIVER_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tests/http/scripted_receiver.h"

namespace postrider::http {

// A certificate authority, made anew for every object.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();

  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  // PEM file with its certificate.
  const std::string& certificate_file() const { return certificate_file_; }
  X509* certificate() const { return certificate_; }
  EVP_PKEY* key() const { return key_; }

 private:
  EVP_PKEY* key_;
  X509* certificate_;
  std::string certificate_file_;
};

// A receiver on 127.0.0.1 that speaks TLS and then does what a script says.
class TlsReceiver {
 public:
  struct Options {
    std::string certificate_host = "localhost";  // empty: the certificate names none
    std::string common_name = "test receiver";
    int max_tls_version = TLS1_3_VERSION;
    bool expired = false;
    bool self_signed = false;  // else by the authority
    // Asks for a certificate of the client, and does without none.
    bool wants_client_certificate = false;
    // The only application protocol that it speaks; empty: it does not care.
    std::string only_protocol;
    // Says goodbye as TLS wants it when the script ends.
    bool close_notify = true;
  };

  // The authority must outlive it. The script is one that answers every request with an empty 200
  // if there is none.
  TlsReceiver(const TestAuthority& authority, const Options& options,
              ScriptedReceiver::Script script = nullptr);
  ~TlsReceiver();

  TlsReceiver(const TlsReceiver&) = delete;
  TlsReceiver& operator=(const TlsReceiver&) = delete;

  // URL with this host.
  std::string url(const std::string& host = "localhost") const;
  int requests() const { return receiver_->requests(); }
  int connections() const { return receiver_->connections(); }
  // The application protocols that the last client offered, each after a byte with its length.
  std::string offered_protocols() const;

 private:
  static int SelectProtocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                            const unsigned char* offered, unsigned int offered_size, void* self);
  void Serve(ScriptedReceiver::Connection& connection);

  const Options options_;
  const ScriptedReceiver::Script script_;
  SSL_CTX* context_;
  mutable absl::Mutex mutex_;
  std::string offered_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ScriptedReceiver> receiver_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_TLS_RECEIVER_H_
