#include "server/rpc/page_token.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "server/security/digest.h"

namespace postrider::rpc {
namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kDigestBytes = 8;

std::string DigestOf(std::string_view filter) {
  return security::Sha256({"page-token-1", filter}).substr(0, kDigestBytes);
}

}  // namespace

std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&output);
  }
  return bytes;
}

std::string MakePageToken(const Ulid& last, std::string_view filter) {
  std::string raw(reinterpret_cast<const char*>(last.bytes.data()), last.bytes.size());
  raw += DigestOf(filter);
  return absl::WebSafeBase64Escape(raw);
}

PageRequest CheckPage(int32_t page_size, const std::string& page_token, std::string_view filter,
                      FieldErrors& errors) {
  PageRequest page;
  if (page_size < 0) errors.Add("page_size", "must not be negative; 0 means 50");
  page.size = page_size == 0 ? kDefaultPageSize : std::clamp(page_size, 1, kMaxPageSize);
  if (page_token.empty()) return page;
  std::string raw;
  if (page_token.size() > 64 || !absl::WebSafeBase64Unescape(page_token, &raw) ||
      raw.size() != kIdBytes + kDigestBytes) {
    errors.Add("page_token", "is not a token that a list gave: leave it empty for the first page");
    return page;
  }
  if (raw.substr(kIdBytes) != DigestOf(filter)) {
    errors.Add("page_token",
               "belongs to a list with another filter: keep the filter the same on every page");
    return page;
  }
  Ulid last;
  std::copy_n(raw.begin(), kIdBytes, last.bytes.begin());
  page.after = last;
  return page;
}

}  // namespace postrider::rpc
