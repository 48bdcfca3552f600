#include "client/options.h"

#include <algorithm>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace postrider::client {
namespace {

constexpr absl::string_view kUnixScheme = "unix:";
constexpr size_t kMaxUnixPathBytes = 107;  // sockaddr_un less its final zero
constexpr size_t kMaxApiKeyBytes = 1024;

bool IsHost(absl::string_view host) {
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
    return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
      return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == ':' || c == '.' ||
             c == '%';
    });
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  });
}

bool IsAddress(absl::string_view address) {
  if (absl::StartsWith(address, kUnixScheme)) {
    const size_t path_bytes = address.size() - kUnixScheme.size();
    return path_bytes > 0 && path_bytes <= kMaxUnixPathBytes;
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return false;
  const absl::string_view port = address.substr(colon + 1);
  int number = 0;
  return IsHost(address.substr(0, colon)) && !port.empty() && absl::ascii_isdigit(port[0]) &&
         absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535;
}

absl::Status CheckTls(const TlsOptions& tls) {
  const bool has_files = !tls.ca_file.empty() || !tls.cert_file.empty() || !tls.key_file.empty();
  if (has_files && !tls.enabled) {
    return absl::InvalidArgumentError("files of TLS are given and TLS is not enabled");
  }
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    return absl::InvalidArgumentError("a client certificate and its key must be given together");
  }
  for (const std::string* file : {&tls.ca_file, &tls.cert_file, &tls.key_file}) {
    if (!file->empty() && !std::ifstream(*file)) {
      return absl::InvalidArgumentError(absl::StrCat("cannot read ", *file));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckOptions(const ClientOptions& options) {
  if (!IsAddress(options.address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", options.address, "' is not a server address: write HOST:PORT or ",
                     kUnixScheme, "PATH (at most ", kMaxUnixPathBytes, " bytes)"));
  }
  // gRPC ends the process over a metadata value that HTTP/2 cannot carry.
  const bool printable = std::all_of(options.api_key.begin(), options.api_key.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!printable || options.api_key.size() > kMaxApiKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the API key is malformed: a key is at most ",
                                                   kMaxApiKeyBytes,
                                                   " bytes of printable ASCII without spaces"));
  }
  return CheckTls(options.tls);
}

}  // namespace postrider::client
