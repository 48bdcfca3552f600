#include "server/security/endpoint_seal.h"

namespace postrider::security {

SealContext SecretContext(const Tenant& tenant, const std::string& endpoint_id, int32_t version) {
  return {tenant.org_id, tenant.env_id, endpoint_id, version, SealPurpose::kEndpointSecret};
}

SealContext HeadersContext(const Tenant& tenant, const std::string& endpoint_id) {
  return {tenant.org_id, tenant.env_id, endpoint_id, 0, SealPurpose::kEndpointHeaders};
}

SealContext ApiKeyAnswerContext(const Tenant& limit, const std::string& key_id) {
  return {limit.org_id, limit.env_id, key_id, 0, SealPurpose::kApiKeyAnswer};
}

std::string PackHeaders(const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string packed;
  for (const auto& [name, value] : headers) {
    packed.append(name).append(": ").append(value).append("\n");
  }
  return packed;
}

std::vector<std::pair<std::string, std::string>> UnpackHeaders(std::string_view packed) {
  std::vector<std::pair<std::string, std::string>> headers;
  while (!packed.empty()) {
    const size_t end = packed.find('\n');
    const std::string_view line = packed.substr(0, end);
    const size_t colon = line.find(": ");
    if (colon != std::string_view::npos) {
      headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    if (end == std::string_view::npos) break;
    packed.remove_prefix(end + 1);
  }
  return headers;
}

}  // namespace postrider::security
