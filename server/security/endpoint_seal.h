// How what is sealed is bound to its place at rest: secrets and headers of endpoints, and answers
// that show an API key. What seals and what opens must agree.

#ifndef POSTRIDER_SERVER_SECURITY_ENDPOINT_SEAL_H_
#define POSTRIDER_SERVER_SECURITY_ENDPOINT_SEAL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/security/sealer.h"
#include "storage/model/records.h"

namespace postrider::security {

// Views into the arguments: they must live as long as the context is used.
SealContext SecretContext(const Tenant& tenant, const std::string& endpoint_id, int32_t version);
SealContext HeadersContext(const Tenant& tenant, const std::string& endpoint_id);
SealContext ApiKeyAnswerContext(const Tenant& limit, const std::string& key_id);

// Headers of an endpoint as one text to be sealed, "name: value" lines, and back. Neither part may
// hold a line end (envelope::CheckHeaders).
std::string PackHeaders(const std::vector<std::pair<std::string, std::string>>& headers);
std::vector<std::pair<std::string, std::string>> UnpackHeaders(std::string_view packed);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_ENDPOINT_SEAL_H_
