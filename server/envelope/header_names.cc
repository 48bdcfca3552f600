#include "server/envelope/header_names.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace postrider::envelope {
namespace {

constexpr std::array<absl::string_view, 15> kRefusedNames = {
    "accept-encoding",
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
};
constexpr std::array<absl::string_view, 3> kRefusedPrefixes = {"content-", "postrider-",
                                                               "webhook-"};

// Not every build of Abseil takes the standard type.
absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

bool IsTokenByte(unsigned char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return absl::ascii_isalnum(c) || (c != 0 && kMarks.find(static_cast<char>(c)) != kMarks.npos);
}

absl::Status At(size_t position, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat("[", position, "]: ", status.message()));
}

}  // namespace

absl::Status CheckHeaderName(std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("a header's name must not be empty");
  if (name.size() > kMaxEndpointHeaderNameBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a header's name must be at most ",
                                                   kMaxEndpointHeaderNameBytes, " bytes long"));
  }
  if (!std::all_of(name.begin(), name.end(), IsTokenByte)) {
    return absl::InvalidArgumentError(
        "a header's name must consist of letters, digits and !#$%&'*+-.^_`|~");
  }
  const absl::string_view text = Abseil(name);
  for (absl::string_view refused : kRefusedNames) {
    if (absl::EqualsIgnoreCase(text, refused)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the header ", refused, " is set by Postrider or by the connection"));
    }
  }
  for (absl::string_view refused : kRefusedPrefixes) {
    if (absl::StartsWithIgnoreCase(text, refused)) {
      return absl::InvalidArgumentError(
          absl::StrCat("headers that begin with ", refused, " are set by Postrider"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHeaderValue(std::string_view value) {
  if (value.empty()) return absl::InvalidArgumentError("a header's value must not be empty");
  const bool printable = std::all_of(value.begin(), value.end(),
                                     [](unsigned char c) { return absl::ascii_isprint(c); });
  if (!printable) return absl::InvalidArgumentError("a header's value must be printable ASCII");
  if (value.front() == ' ' || value.back() == ' ') {
    return absl::InvalidArgumentError("a header's value must not begin or end with a space");
  }
  return absl::OkStatus();
}

absl::Status CheckHeaders(absl::Span<const HeaderView> headers) {
  if (headers.size() > kMaxEndpointHeaders) {
    return absl::InvalidArgumentError(absl::StrCat(
        "holds ", headers.size(), " headers, over the limit of ", kMaxEndpointHeaders));
  }
  size_t total = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (absl::Status status = CheckHeaderName(headers[i].name); !status.ok()) return At(i, status);
    if (absl::Status status = CheckHeaderValue(headers[i].value); !status.ok()) {
      return At(i, status);
    }
    for (size_t j = 0; j < i; ++j) {
      if (absl::EqualsIgnoreCase(Abseil(headers[i].name), Abseil(headers[j].name))) {
        return At(i, absl::InvalidArgumentError("the header's name is given twice"));
      }
    }
    total += headers[i].name.size() + headers[i].value.size();
  }
  if (total > kMaxEndpointHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat("holds ", total, " bytes, over the limit of ",
                                                   kMaxEndpointHeaderBytes, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace postrider::envelope
