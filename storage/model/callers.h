// Who may call, and what callers did. Numbers of enum values are stored: never renumber.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace postrider {

enum class Scope : int16_t { kPublish = 1, kRead = 2, kAdmin = 3 };

// A set of scopes. ADMIN holds the others.
class Scopes {
 public:
  Scopes() = default;
  static Scopes All() {
    Scopes all;
    all.Add(Scope::kAdmin);
    return all;
  }

  void Add(Scope scope) { bits_ = static_cast<int16_t>(bits_ | BitOf(scope)); }
  // Whether a caller with these scopes may do what needs `scope`.
  bool Allow(Scope scope) const { return (bits_ & (BitOf(scope) | BitOf(Scope::kAdmin))) != 0; }
  // Whether a caller with these scopes may do all that one with `others` may.
  bool Cover(const Scopes& others) const {
    for (const Scope scope : others.List()) {
      if (!Allow(scope)) return false;
    }
    return true;
  }
  bool empty() const { return bits_ == 0; }
  std::vector<Scope> List() const {
    std::vector<Scope> list;
    for (const Scope scope : {Scope::kPublish, Scope::kRead, Scope::kAdmin}) {
      if ((bits_ & BitOf(scope)) != 0) list.push_back(scope);
    }
    return list;
  }

  // As it is stored.
  int16_t bits() const { return bits_; }
  static Scopes FromBits(int64_t bits) {
    Scopes scopes;
    scopes.bits_ = static_cast<int16_t>(bits);
    return scopes;
  }

  bool operator==(const Scopes&) const = default;

 private:
  static int16_t BitOf(Scope scope) {
    return static_cast<int16_t>(1 << static_cast<int16_t>(scope));
  }
  int16_t bits_ = 0;
};

// A key of a caller, without its secret part.
struct ApiKey {
  ApiKeyId id;
  std::string description;
  Scopes scopes;
  Tenant limit;                 // empty names: any org, any environment of the org
  std::string certificate_san;  // empty: tied to no certificate
  absl::Time create_time;
  std::optional<absl::Time> expire_time;
  std::optional<absl::Time> last_use_time;
};

// A key as the servers know it.
struct KnownApiKey {
  ApiKey key;
  std::string secret_digest;  // SHA-256 of the secret part
  bool revoked = false;
};

// One call that needed ADMIN.
struct AuditRecord {
  AuditRecordId id;
  absl::Time create_time;
  std::optional<ApiKeyId> key_id;  // none: a local caller without one
  std::string remote_address;
  std::string rpc;
  std::string resource_id;
  Tenant tenant;                // of the resource; empty names: not known
  std::optional<int32_t> code;  // a google.rpc.Code; none: not known
};

}  // namespace postrider
