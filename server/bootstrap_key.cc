#include "server/bootstrap_key.h"

#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/observe/log.h"
#include "server/security/api_key.h"
#include "server/security/random.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider {
namespace {

constexpr size_t kMaxFileBytes = 4096;

absl::Status Refused(const std::string& path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("--bootstrap-key ", path, ": ", why));
}

}  // namespace

absl::Status WriteBootstrapKey(const std::string& path, ApiKeyId id, ApiKeyStore& keys) {
  const absl::StatusOr<bool> ever = keys.EverHadKeys();
  if (!ever.ok()) return ever.status();
  if (*ever) return absl::OkStatus();
  absl::StatusOr<std::string> content = embedded::ReadSmallFile(path, kMaxFileBytes);
  const bool write = absl::IsNotFound(content.status());
  if (!write && !content.ok()) return Refused(path, content.status().message());
  std::string text = write ? security::NewApiKey(id, security::RandomBytes) : *content;
  const absl::Cleanup forget = [&text] { security::Cleanse(text.data(), text.size()); };
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  const auto key_text = security::ParseApiKey(std::string_view(stripped.data(), stripped.size()));
  if (!key_text) return Refused(path, "the file is there and holds no API key");
  // The file first: a key that only the database knows could never be used.
  if (write) {
    absl::Status written = embedded::WriteFileAtomically(path, absl::StrCat(text, "\n"));
    if (!written.ok()) return Refused(path, written.message());
  }
  ApiKey key;
  key.id = key_text->id;
  key.description = "bootstrap key";
  key.scopes = Scopes::All();
  const absl::StatusOr<bool> first =
      keys.CreateFirst(key, security::ApiKeyDigest(key_text->secret));
  if (first.ok() && *first) {
    observe::Log(observe::Severity::kInfo, "made the first API key",
                 {{"api_key_id", key.id.ToText()}, {"file", path}});
    return absl::OkStatus();
  }
  // Another server was first: this key is none.
  if (write) unlink(path.c_str());
  return first.status();
}

}  // namespace postrider
