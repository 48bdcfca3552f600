#ifndef POSTRIDER_TESTS_SUPPORT_CREDENTIALS_H_
#define POSTRIDER_TESTS_SUPPORT_CREDENTIALS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "postrider/v1/api_key_service.pb.h"
#include "tests/support/api.h"

namespace postrider::testing {

// The metadata that proves a key.
Api::Metadata Bearer(absl::string_view key);

// A call with an API key; an empty one is no credential. `method` as in Api::CallRaw.
template <class Request, class Response>
Reply<Response> CallAs(Api& api, absl::string_view key, absl::string_view method,
                       const Request& request) {
  Reply<std::string> raw =
      api.CallRaw(method, request.SerializeAsString(), key.empty() ? Api::Metadata{} : Bearer(key));
  Reply<Response> reply;
  reply.status = raw.status;
  if (raw.ok()) reply.value.ParseFromString(raw.value);
  return reply;
}

struct NewKey {
  std::string id;
  std::string text;
};

// A key made by somebody with scope ADMIN. That this is OK is expected of the test.
NewKey MakeKey(Api& api, absl::string_view maker, const v1::ApiKey& key);
v1::ApiKey KeyFor(const std::vector<v1::Scope>& scopes, const std::string& org = "",
                  const std::string& env = "");
grpc::Status RevokeKey(Api& api, absl::string_view admin, const std::string& key_id);

// What a call that changes nothing is answered with: the cheapest way to see whether a key is good.
grpc::Status TryKey(Api& api, absl::string_view key);

// The content of a file; a failure of the test if it cannot be read.
std::string FileContent(const std::string& path);

// A folder with an authority and certificates that it vouches for, made with OpenSSL's command
// line.
class TestAuthority {
 public:
  // `name` is the authority's.
  explicit TestAuthority(const std::string& name);

  std::string ca_file() const { return folder_ + "/ca.pem"; }
  struct Files {
    std::string certificate;
    std::string key;
  };
  // `names` as in "DNS:localhost,IP:127.0.0.1".
  Files Issue(const std::string& names);

 private:
  const std::string folder_;
  int issued_ = 0;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_CREDENTIALS_H_
