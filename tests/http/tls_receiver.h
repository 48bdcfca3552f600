#ifndef POSTRIDER_TESTS_HTTP_TLS_RECEIVER_H_
#define POSTRIDER_TESTS_HTTP_TLS_RECEIVER_H_

#include <openssl/ssl.h>

#include <atomic>
#include <memory>
#include <string>

#include "tests/http/scripted_receiver.h"

namespace postrider::http {

// A receiver on 127.0.0.1 that answers every HTTPS request with an empty 200. Its certificate is
// self-signed, for one host name, and made anew for every receiver.
class TlsReceiver {
 public:
  struct Options {
    std::string certificate_host = "localhost";
    int max_tls_version = TLS1_3_VERSION;
    bool expired = false;
  };

  explicit TlsReceiver(const Options& options);
  ~TlsReceiver();

  TlsReceiver(const TlsReceiver&) = delete;
  TlsReceiver& operator=(const TlsReceiver&) = delete;

  // Path of the certificate, to be trusted by the test.
  const std::string& certificate_file() const { return certificate_file_; }
  // URL with this host.
  std::string url(const std::string& host) const;
  int requests() const { return requests_; }
  int connections() const { return receiver_->connections(); }

 private:
  void Serve(ScriptedReceiver::Connection& connection);

  SSL_CTX* context_;
  std::string certificate_file_;
  std::atomic<int> requests_{0};
  std::unique_ptr<ScriptedReceiver> receiver_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_TLS_RECEIVER_H_
