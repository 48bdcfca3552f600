#include "server/http/curl_error.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

namespace postrider::http {
namespace {

TEST(CurlErrorTest, CodesMeanWhatADeliveryNeedsToKnow) {
  const struct {
    CURLcode code;
    TransferError error;
  } kCases[] = {
      {CURLE_OK, TransferError::kNone},
      {CURLE_OPERATION_TIMEDOUT, TransferError::kTimeout},
      {CURLE_COULDNT_RESOLVE_HOST, TransferError::kDns},
      {CURLE_COULDNT_RESOLVE_PROXY, TransferError::kDns},
      {CURLE_SSL_CONNECT_ERROR, TransferError::kTls},
      {CURLE_PEER_FAILED_VERIFICATION, TransferError::kTls},
      {CURLE_SSL_CACERT_BADFILE, TransferError::kTls},
      {CURLE_SSL_CERTPROBLEM, TransferError::kTls},
      {CURLE_SSL_CIPHER, TransferError::kTls},
      {CURLE_SSL_ISSUER_ERROR, TransferError::kTls},
      {CURLE_SSL_INVALIDCERTSTATUS, TransferError::kTls},
      {CURLE_SSL_CLIENTCERT, TransferError::kTls},
      {CURLE_COULDNT_CONNECT, TransferError::kConnection},
      {CURLE_SEND_ERROR, TransferError::kConnection},
      {CURLE_RECV_ERROR, TransferError::kConnection},
      {CURLE_GOT_NOTHING, TransferError::kConnection},
      {CURLE_PARTIAL_FILE, TransferError::kConnection},
      {CURLE_UNSUPPORTED_PROTOCOL, TransferError::kConnection},
      {CURLE_WEIRD_SERVER_REPLY, TransferError::kConnection},
      {CURLE_BAD_CONTENT_ENCODING, TransferError::kConnection},
      {CURLE_OUT_OF_MEMORY, TransferError::kConnection},
      {CURLE_WRITE_ERROR, TransferError::kConnection},
      {CURLE_ABORTED_BY_CALLBACK, TransferError::kConnection},
      {CURLE_HTTP2, TransferError::kConnection},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ClassifyCurlError(c.code).error, c.error) << c.code;
  }
}

TEST(CurlErrorTest, OnlyZeroIsNoErrorAndEveryErrorHasWords) {
  EXPECT_EQ(ClassifyCurlError(0).text, "");
  for (int code = -1; code < CURL_LAST + 50; ++code) {
    if (code == 0) continue;
    const ErrorKind kind = ClassifyCurlError(code);
    EXPECT_NE(kind.error, TransferError::kNone) << code;
    EXPECT_NE(kind.error, TransferError::kBlocked) << code;
    EXPECT_NE(kind.error, TransferError::kNotStarted) << code;
    EXPECT_FALSE(kind.text.empty()) << code;
  }
}

TEST(CurlErrorTest, EveryErrorHasAName) {
  EXPECT_EQ(TransferErrorName(TransferError::kNone), "NONE");
  EXPECT_EQ(TransferErrorName(TransferError::kTimeout), "TIMEOUT");
  EXPECT_EQ(TransferErrorName(TransferError::kConnection), "CONNECTION");
  EXPECT_EQ(TransferErrorName(TransferError::kDns), "DNS");
  EXPECT_EQ(TransferErrorName(TransferError::kTls), "TLS");
  EXPECT_EQ(TransferErrorName(TransferError::kBlocked), "BLOCKED");
  EXPECT_EQ(TransferErrorName(TransferError::kNotStarted), "NOT_STARTED");
}

}  // namespace
}  // namespace postrider::http
