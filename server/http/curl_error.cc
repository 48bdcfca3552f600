#include "server/http/curl_error.h"

#include <curl/curl.h>

namespace postrider::http {
namespace {

struct Row {
  CURLcode code;
  ErrorKind kind;
};

constexpr TransferError kConnection = TransferError::kConnection;
constexpr TransferError kTls = TransferError::kTls;

constexpr Row kTable[] = {
    {CURLE_OK, {TransferError::kNone, ""}},

    {CURLE_OPERATION_TIMEDOUT, {TransferError::kTimeout, "timed out"}},

    {CURLE_COULDNT_RESOLVE_HOST, {TransferError::kDns, "the host name has no address"}},
    {CURLE_COULDNT_RESOLVE_PROXY, {TransferError::kDns, "the proxy's name has no address"}},

    {CURLE_SSL_CONNECT_ERROR, {kTls, "the TLS handshake failed"}},
    {CURLE_PEER_FAILED_VERIFICATION, {kTls, "the certificate was not accepted"}},
    {CURLE_SSL_ISSUER_ERROR, {kTls, "the certificate's issuer was not accepted"}},
    {CURLE_SSL_INVALIDCERTSTATUS, {kTls, "the certificate's status was not accepted"}},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, {kTls, "the certificate's key was not accepted"}},
    {CURLE_SSL_CLIENTCERT, {kTls, "the receiver asks for a client certificate"}},
    {CURLE_SSL_CERTPROBLEM, {kTls, "the client certificate cannot be used"}},
    {CURLE_SSL_CIPHER, {kTls, "no common cipher"}},
    {CURLE_SSL_CACERT_BADFILE, {kTls, "the file of trusted certificates cannot be read"}},
    {CURLE_SSL_CRL_BADFILE, {kTls, "the certificate revocation list cannot be read"}},
    {CURLE_SSL_ENGINE_NOTFOUND, {kTls, "TLS could not be set up"}},
    {CURLE_SSL_ENGINE_SETFAILED, {kTls, "TLS could not be set up"}},
    {CURLE_SSL_ENGINE_INITFAILED, {kTls, "TLS could not be set up"}},
    {CURLE_USE_SSL_FAILED, {kTls, "TLS could not be set up"}},
    {CURLE_SSL_SHUTDOWN_FAILED, {kTls, "the TLS connection was not closed properly"}},

    {CURLE_COULDNT_CONNECT, {kConnection, "no connection could be made"}},
    {CURLE_PROXY, {kConnection, "the proxy gave no connection"}},
    {CURLE_SEND_ERROR, {kConnection, "the connection broke while sending"}},
    {CURLE_RECV_ERROR, {kConnection, "the connection broke while receiving"}},
    {CURLE_GOT_NOTHING, {kConnection, "the connection was closed without a response"}},
    {CURLE_PARTIAL_FILE, {kConnection, "the response broke off"}},
    {CURLE_UNSUPPORTED_PROTOCOL, {kConnection, "the response was not HTTP/1.x"}},
    {CURLE_WEIRD_SERVER_REPLY, {kConnection, "the response was not proper HTTP"}},
    {CURLE_BAD_CONTENT_ENCODING, {kConnection, "the response's transfer coding was broken"}},
    {CURLE_OUT_OF_MEMORY, {kConnection, "a response header was too large"}},
    {CURLE_FILESIZE_EXCEEDED, {kConnection, "the response was too large"}},
    {CURLE_HTTP2, {kConnection, "the response was not HTTP/1.x"}},
    {CURLE_HTTP2_STREAM, {kConnection, "the response was not HTTP/1.x"}},
    {CURLE_HTTP3, {kConnection, "the response was not HTTP/1.x"}},
    {CURLE_WRITE_ERROR, {kConnection, "the response was not read to its end"}},
    {CURLE_ABORTED_BY_CALLBACK, {kConnection, "stopped"}},
    {CURLE_NO_CONNECTION_AVAILABLE, {kConnection, "no connection was available"}},
    {CURLE_URL_MALFORMAT, {kConnection, "the URL could not be used"}},
};

}  // namespace

ErrorKind ClassifyCurlError(int curl_code) {
  for (const Row& row : kTable) {
    if (row.code == curl_code) return row.kind;
  }
  return {kConnection, "the transfer failed"};
}

std::string_view TransferErrorName(TransferError error) {
  switch (error) {
    case TransferError::kNone:
      return "NONE";
    case TransferError::kTimeout:
      return "TIMEOUT";
    case TransferError::kConnection:
      return "CONNECTION";
    case TransferError::kDns:
      return "DNS";
    case TransferError::kTls:
      return "TLS";
    case TransferError::kBlocked:
      return "BLOCKED";
    case TransferError::kNotStarted:
      return "NOT_STARTED";
  }
  return "UNKNOWN";
}

}  // namespace postrider::http
