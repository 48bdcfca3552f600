// The URL guard: what it lets pass is canonical, public (or allowed), and stays so.

#include <string>
#include <vector>

#include "server/http/destination.h"
#include "server/http/url.h"
#include "tests/fuzz/fuzz_target.h"

namespace postrider::http {
namespace {

void Check(std::string_view input, const DestinationPolicy& policy) {
  const absl::StatusOr<ParsedUrl> url = CheckUrl(input, policy);
  if (!url.ok()) {
    FUZZ_EXPECT(url.status().code() == absl::StatusCode::kInvalidArgument);
    FUZZ_EXPECT(url.status().message().find('\n') == absl::string_view::npos);
    return;
  }
  const std::string& text = url->text();
  FUZZ_EXPECT(text.size() <= kMaxUrlBytes + 1);  // an empty path becomes "/"
  FUZZ_EXPECT(url->is_https() || policy.allow_http());
  FUZZ_EXPECT(text.starts_with(url->is_https() ? "https://" : "http://"));
  FUZZ_EXPECT(url->port() >= 1 && url->port() <= 65535);
  FUZZ_EXPECT(!url->host().empty() && url->host().size() <= 253);
  FUZZ_EXPECT(url->origin() == url->host() + ":" + std::to_string(url->port()));
  for (const char c : text) FUZZ_EXPECT(c > ' ' && c < 0x7f && c != '\\' && c != '#');
  const size_t authority = text.find("://") + 3;
  const size_t path = text.find_first_of("/?", authority);
  FUZZ_EXPECT(text.substr(authority, path - authority).find('@') == std::string::npos);
  if (url->is_address()) {
    std::string host = url->host();
    if (host.front() == '[') host = host.substr(1, host.size() - 2);
    const absl::StatusOr<Cidr> address = ParseCidr(host);
    FUZZ_EXPECT(!address.ok() || policy.Allows(address->network));
  }
  // What was let pass is in its one form: it passes again, as itself.
  if (text.size() > kMaxUrlBytes) return;
  const absl::StatusOr<ParsedUrl> again = CheckUrl(text, policy);
  FUZZ_EXPECT(again.ok());
  FUZZ_EXPECT(again->text() == text && again->origin() == url->origin());
}

}  // namespace
}  // namespace postrider::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using postrider::http::DestinationPolicy;
  static const auto* const policies = new std::vector<DestinationPolicy>{
      DestinationPolicy(), DestinationPolicy({}, /*allow_http=*/true),
      DestinationPolicy(
          {*postrider::http::ParseCidr("127.0.0.0/8"), *postrider::http::ParseCidr("fd00::/8")},
          /*allow_http=*/true)};
  for (const DestinationPolicy& policy : *policies) {
    postrider::http::Check(postrider::fuzz::TextOf(data, size), policy);
  }
  return 0;
}
