// API keys as texts: one that passes has one form alone, and is what its parts make.

#include <string>

#include "server/security/api_key.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace security = postrider::security;
  const std::string_view text = postrider::fuzz::TextOf(data, size);
  const std::optional<security::ApiKeyText> key = security::ParseApiKey(text);
  if (!key) return 0;
  const std::string secret(key->secret.view());
  FUZZ_EXPECT(secret.size() == security::kApiKeySecretBytes);
  FUZZ_EXPECT(security::NewApiKey(key->id, [&secret](size_t) { return secret; }) == text);
  FUZZ_EXPECT(security::MatchesDigest(key->secret, security::ApiKeyDigest(key->secret)));
  return 0;
}
