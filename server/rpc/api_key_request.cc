#include "server/rpc/api_key_request.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/envelope/json_text.h"
#include "server/envelope/names.h"
#include "server/rpc/times.h"

namespace postrider::rpc {
namespace {

constexpr size_t kMaxDescriptionBytes = 1024;
constexpr int kMaxScopes = 10;
constexpr size_t kMaxNameBytes = 255;

void CheckScopes(const v1::ApiKey& given, const Caller& caller, ApiKey& key, FieldErrors& errors) {
  if (given.scopes().empty() || given.scopes_size() > kMaxScopes) {
    errors.Add("api_key.scopes", absl::StrCat("must hold 1 to ", kMaxScopes, " scopes"));
    return;
  }
  for (int i = 0; i < given.scopes_size(); ++i) {
    const v1::Scope scope = given.scopes(i);
    if (scope == v1::SCOPE_UNSPECIFIED || !v1::Scope_IsValid(scope)) {
      errors.Add(absl::StrCat("api_key.scopes[", i, "]"), "must be PUBLISH, READ or ADMIN");
    } else {
      key.scopes.Add(static_cast<Scope>(scope));
    }
  }
  if (!caller.scopes.Cover(key.scopes)) {
    errors.Forbid("api_key.scopes", "hold more than this API key itself may do");
  }
}

void CheckLimit(const v1::ApiKey& given, const Caller& caller, ApiKey& key, FieldErrors& errors) {
  key.limit = Tenant{given.org_id(), given.env_id()};
  caller.FillIn(key.limit, "api_key.", errors);
  for (const auto& [field, name] : {std::pair("api_key.org_id", &key.limit.org_id),
                                    std::pair("api_key.env_id", &key.limit.env_id)}) {
    if (name->empty()) continue;
    if (absl::Status status = envelope::CheckTenantId(*name); !status.ok()) {
      errors.Add(field, std::string(status.message()));
    }
  }
  if (key.limit.org_id.empty() && !key.limit.env_id.empty()) {
    errors.Add("api_key.env_id", "must not be set without org_id");
  }
}

}  // namespace

void CheckApiKey(const v1::ApiKey& given, const Caller& caller, absl::Time now, ApiKey& key,
                 FieldErrors& errors) {
  key.description = given.description();
  if (key.description.size() > kMaxDescriptionBytes ||
      key.description.find('\0') != std::string::npos) {
    errors.Add("api_key.description",
               absl::StrCat("must be at most ", kMaxDescriptionBytes, " bytes without NUL"));
  }
  CheckScopes(given, caller, key, errors);
  CheckLimit(given, caller, key, errors);
  if (given.has_expire_time()) {
    key.expire_time = FromProto(given.expire_time());
    if (!key.expire_time || *key.expire_time <= now) {
      errors.Add("api_key.expire_time", "must be in the future and before the year 10000");
    }
  }
  key.certificate_san = given.certificate_san();
  const bool printable =
      std::all_of(key.certificate_san.begin(), key.certificate_san.end(),
                  [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (!printable || key.certificate_san.size() > kMaxNameBytes) {
    errors.Add("api_key.certificate_san", absl::StrCat("must be at most ", kMaxNameBytes,
                                                       " bytes of printable ASCII without spaces"));
  }
  // Names of certificates are unique in the installation: whoever took another org's would get the
  // calls that its clients make.
  if (!key.certificate_san.empty() && !caller.limit.org_id.empty()) {
    errors.Forbid("api_key.certificate_san",
                  "may be set only with a key that is not limited to an org");
  }
}

}  // namespace postrider::rpc
