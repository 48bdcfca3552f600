#include "server/master_keys.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/observe/log.h"
#include "server/security/endpoint_seal.h"
#include "storage/postgres/embedded/private_cluster.h"
#include "storage/postgres/sealed_store.h"

namespace postrider {
namespace {

constexpr int32_t kValuesAtOnce = 500;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::FailedPreconditionError(absl::StrCat("cannot read the master key from ", path));
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// `what` names the key in an error.
absl::StatusOr<security::MasterKey> ParseKey(std::string text, const std::string& what) {
  absl::StatusOr<security::MasterKey> key = security::MasterKey::Parse(text);
  security::Cleanse(text.data(), text.size());
  if (key.ok()) return key;
  return absl::FailedPreconditionError(
      absl::StrCat(what, " is not usable: ", key.status().message()));
}

std::string OwnerOf(SealedKind kind, const SealedValue& value) {
  return kind == SealedKind::kApiKeyAnswer ? ApiKeyId{value.owner}.ToText()
                                           : EndpointId{value.owner}.ToText();
}

std::string AssociatedDataOf(SealedKind kind, const SealedValue& value) {
  const std::string id = OwnerOf(kind, value);
  switch (kind) {
    case SealedKind::kSecret:
      return security::AssociatedData(security::SecretContext(value.tenant, id, value.version));
    case SealedKind::kHeaders:
      return security::AssociatedData(security::HeadersContext(value.tenant, id));
    case SealedKind::kApiKeyAnswer:
      return security::AssociatedData(security::ApiKeyAnswerContext(value.tenant, id));
  }
  return "";
}

const char* NameOf(SealedKind kind) {
  switch (kind) {
    case SealedKind::kSecret:
      return "secret";
    case SealedKind::kHeaders:
      return "headers";
    case SealedKind::kApiKeyAnswer:
      return "answer of CreateApiKey";
  }
  return "";
}

// What `value` holds, under the current key.
absl::StatusOr<SealedBytes> SealAnew(SealedKind kind, const SealedValue& value,
                                     const security::KeyRing& keys) {
  const std::string place = AssociatedDataOf(kind, value);
  absl::StatusOr<std::string> plain =
      keys.Open({value.sealed.key_id, value.sealed.nonce, value.sealed.bytes}, place);
  if (!plain.ok()) return plain.status();
  absl::StatusOr<security::SealedSecret> sealed = keys.Seal(*plain, place);
  security::Cleanse(plain->data(), plain->size());
  if (!sealed.ok()) return sealed.status();
  return SealedBytes{std::move(sealed->key_id), std::move(sealed->nonce), std::move(sealed->bytes)};
}

absl::StatusOr<std::string> ResealAll(const SessionOptions& database,
                                      const security::KeyRing& keys) {
  PgSealedStore store(database);
  if (absl::Status status = CheckMasterKeys(store, keys); !status.ok()) return status;
  const absl::StatusOr<Resealed> done = Reseal(store, keys);
  if (!done.ok()) return done.status();
  const auto counts = store.KeyIds();
  if (!counts.ok()) return counts.status();
  int64_t left = 0;
  for (const auto& [id, count] : *counts) left += id == keys.current().id() ? 0 : count;
  const std::string said = absl::StrCat("sealed ", done->values, " values anew under ",
                                        "master key ", keys.current().id());
  if (left == 0) return absl::StrCat(said, "; none is under another: previous keys can go");
  return absl::FailedPreconditionError(absl::StrCat(
      said, ", but ", left, " are under another, ", done->unreadable,
      " of them damaged (see the log); when every server has the new key, run it again"));
}

}  // namespace

absl::StatusOr<security::KeyRing> ReadMasterKeys(const config::Config& config,
                                                 embedded::DataDir* data_dir) {
  absl::StatusOr<std::string> text = config.master_key;
  if (config.master_key.empty() && !config.master_key_file.empty()) {
    text = ReadFile(config.master_key_file);
  } else if (config.master_key.empty()) {
    text = data_dir->ReadOrCreate(
        "master-key", [] { return security::GenerateMasterKeyText(security::RandomBytes); });
  }
  if (!text.ok()) return text.status();
  absl::StatusOr<security::MasterKey> current = ParseKey(*std::move(text), "the master key");
  if (!current.ok()) return current.status();
  std::vector<security::MasterKey> older;
  for (const std::string& path : config.previous_master_key_files) {
    absl::StatusOr<std::string> previous = ReadFile(path);
    if (!previous.ok()) return previous.status();
    absl::StatusOr<security::MasterKey> key =
        ParseKey(*std::move(previous), absl::StrCat("the master key in ", path));
    if (!key.ok()) return key.status();
    older.push_back(*std::move(key));
  }
  absl::StatusOr<security::KeyRing> ring =
      security::KeyRing::Create(*std::move(current), std::move(older));
  if (!ring.ok()) return absl::FailedPreconditionError(ring.status().message());
  return ring;
}

absl::Status CheckMasterKeys(SealedStore& store, const security::KeyRing& keys) {
  const auto ids = store.KeyIds();
  if (!ids.ok()) return ids.status();
  for (const auto& [id, count] : *ids) {
    if (!keys.Holds(id)) {
      return absl::FailedPreconditionError(absl::StrCat(
          count, " values are sealed under master key ", id,
          ", which is not given (the current one is ", keys.current().id(),
          "): name its file with --previous-master-key-file, or with --master-key-file"));
    }
    if (id != keys.current().id()) {
      observe::Log(observe::Severity::kWarning,
                   "secrets are sealed under a previous master key: postriderd --reseal moves them",
                   {{"key_id", id}, {"count", std::to_string(count)}});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Resealed> Reseal(SealedStore& store, const security::KeyRing& keys) {
  Resealed done;
  for (const SealedKind kind :
       {SealedKind::kSecret, SealedKind::kHeaders, SealedKind::kApiKeyAnswer}) {
    SealedValue last;
    for (;;) {
      const auto values = store.NotUnder(kind, keys.current().id(), last, kValuesAtOnce);
      if (!values.ok()) return values.status();
      if (values->empty()) break;
      for (const SealedValue& value : *values) {
        const absl::StatusOr<SealedBytes> sealed = SealAnew(kind, value, keys);
        if (!sealed.ok()) {
          ++done.unreadable;
          observe::Log(observe::Severity::kError, "cannot open what is to be sealed anew",
                       {{"id", OwnerOf(kind, value)},
                        {"what", NameOf(kind)},
                        {"version", std::to_string(value.version)},
                        {"error", std::string(sealed.status().message())}});
          continue;
        }
        // One that was changed meanwhile is under the key of whoever changed it: the caller asks
        // for what is left.
        const absl::StatusOr<bool> replaced = store.Replace(kind, value, *sealed);
        if (!replaced.ok()) return replaced.status();
        done.values += *replaced;
      }
      last = values->back();
    }
  }
  return done;
}

absl::StatusOr<std::string> RunReseal(const config::Config& config) {
  SessionOptions database;
  database.conninfo = config.database;
  if (!config.database.empty()) {
    // The data folder is that of a server, which may be running beside this.
    const absl::StatusOr<security::KeyRing> keys = ReadMasterKeys(config, nullptr);
    return keys.ok() ? ResealAll(database, *keys) : keys.status();
  }
  absl::StatusOr<std::unique_ptr<embedded::DataDir>> data_dir =
      embedded::DataDir::Open(config.data_dir);
  if (!data_dir.ok()) return data_dir.status();
  const absl::StatusOr<security::KeyRing> keys = ReadMasterKeys(config, data_dir->get());
  if (!keys.ok()) return keys.status();
  embedded::PrivateCluster::Options options;
  options.data_dir = (*data_dir)->path();
  absl::StatusOr<std::unique_ptr<embedded::PrivateCluster>> cluster =
      embedded::PrivateCluster::Start(std::move(options));
  if (!cluster.ok()) return cluster.status();
  database.conninfo = (*cluster)->conninfo();
  absl::StatusOr<std::string> said = ResealAll(database, *keys);
  if (absl::Status stopped = (*cluster)->Stop(absl::Seconds(10)); !stopped.ok()) return stopped;
  return said;
}

}  // namespace postrider
