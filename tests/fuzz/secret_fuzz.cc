// Secrets and keys as texts: one that passes has one form alone, and an error gives nothing of it
// away.

#include <string>

#include "server/security/base64.h"
#include "server/security/master_key.h"
#include "server/signing/secret_text.h"
#include "server/signing/signature.h"
#include "server/signing/verify.h"
#include "tests/fuzz/fuzz_target.h"

namespace postrider::signing {
namespace {

// What is said of texts that are no secrets.
const std::string& OwnWords() {
  static const auto* const words = [] {
    auto* all = new std::string();
    for (const std::string& text :
         {std::string(), std::string("x"), std::string("whsec_!"), std::string("whsec_AAAA"),
          std::string("whsk_!"), std::string("whpk_!"), "whsec_" + std::string(200, 'A'),
          "whsk_" + std::string(86, 'A') + "=="}) {
      for (const absl::Status& status :
           {ReadSecret(SignatureScheme::kHmacSha256, text).status(),
            ReadSecret(SignatureScheme::kEd25519, text).status(), ParseSigningKey(text).status(),
            VerifyingKey::Parse(text).status(), security::MasterKey::Parse(text).status()}) {
        all->append(std::string(status.message())).append("\n");
      }
    }
    return all;
  }();
  return *words;
}

template <typename T>
bool Passes(const absl::StatusOr<T>& result, std::string_view text) {
  if (result.ok()) return true;
  FUZZ_EXPECT(result.status().code() == absl::StatusCode::kInvalidArgument);
  FUZZ_EXPECT(!fuzz::Repeats(std::string(result.status().message()), text, OwnWords()));
  return false;
}

void CheckSecretText(std::string_view text) {
  for (const SignatureScheme scheme : {SignatureScheme::kHmacSha256, SignatureScheme::kEd25519}) {
    const absl::StatusOr<SecretText> secret = ReadSecret(scheme, text);
    if (!Passes(secret, text)) continue;
    // The one form reads back as itself; only a seed alone had another.
    FUZZ_EXPECT(ReadSecret(scheme, secret->text)->text == secret->text);
    FUZZ_EXPECT(secret->text == text ||
                (scheme == SignatureScheme::kEd25519 && text.size() < secret->text.size()));
    FUZZ_EXPECT(SecretHint(secret->text).size() == 4);
    const absl::StatusOr<SigningKey> key = ParseSigningKey(text);
    FUZZ_EXPECT(key.ok());
    const std::string header = Signer::Create({*key})->Header("evt_1", 1, "{}");
    const absl::StatusOr<VerifyingKey> verifying =
        VerifyingKey::Parse(secret->public_key.empty() ? secret->text : secret->public_key);
    FUZZ_EXPECT(verifying.ok());
    FUZZ_EXPECT(verifying->VerifiesAny(header, "evt_1", 1, "{}"));
    FUZZ_EXPECT(!verifying->VerifiesAny(header, "evt_1", 2, "{}"));
  }
  Passes(ParseSigningKey(text), text);
  Passes(VerifyingKey::Parse(text), text);
  Passes(security::MasterKey::Parse(text), text);
  if (const auto bytes = security::DecodeBase64(text)) {
    FUZZ_EXPECT(security::EncodeBase64(bytes->view()) == text);
  }
}

}  // namespace
}  // namespace postrider::signing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = postrider::fuzz::TextOf(data, size);
  postrider::signing::CheckSecretText(text);
  // As the header of a request that is verified.
  static const auto* const key = new postrider::signing::VerifyingKey(
      *postrider::signing::VerifyingKey::Parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  FUZZ_EXPECT(!postrider::signing::VerifySignatures(text, {*key}, "evt_1", 1, "{}"));
  return 0;
}
