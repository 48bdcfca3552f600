// What calls come in through: keys, certificates, the gate and the audit, composed from the
// settings.

#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/access/key_directory.h"
#include "server/access/open_deliveries.h"
#include "server/config/config.h"
#include "server/rpc/api_key_service.h"
#include "server/rpc/door.h"
#include "server/rpc/listeners.h"
#include "server/rpc/reception.h"
#include "storage/postgres/api_key_store.h"
#include "storage/postgres/audit_store.h"

namespace postrider {

// What it is built on; all of it outlives it.
struct ServingParts {
  const config::Config& config;
  SessionPool& pool;
  SessionOptions session;  // for a session of its own
  const security::KeyRing& keys;
  const DatabaseClock& clock;
  rpc::Workers& workers;
  std::function<ApiKeyId(absl::Time)> new_key_id;
  std::function<AuditRecordId(absl::Time)> new_record_id;
};

class Serving {
 public:
  // Reads keys and certificates, and writes the bootstrap key where it is wanted. Errors say what
  // to do, in plain words.
  static absl::StatusOr<std::unique_ptr<Serving>> Start(const ServingParts& parts);

  const rpc::Reception& reception() const { return reception_; }
  rpc::ApiKeyService& api_key_service() { return api_key_service_; }
  // Who is told when keys may have ended, until Stop.
  void TellOfKeys(std::function<void()> told) { directory_.TellOfReadings(std::move(told)); }
  // With the credentials of each.
  std::vector<rpc::Listener> Listeners();
  const rpc::Gate& gate() const { return gate_; }
  // Of the door that some of the listeners have; null when all are trusted.
  rpc::Strangers* strangers() { return AllTrusted() ? nullptr : &strangers_; }
  // When no more calls come.
  void Stop() {
    directory_.Stop();
    open_deliveries_.Stop();
  }

 private:
  Serving(const ServingParts& parts, std::unique_ptr<rpc::ServedCertificates> certificates);

  bool IsTrusted(const std::string& listen_address) const;
  bool AllTrusted() const;

  const config::Config& config_;
  const std::unique_ptr<rpc::ServedCertificates> certificates_;  // null: no TLS
  PgApiKeyStore keys_;
  PgAuditStore records_;
  access::KeyDirectory directory_;
  access::OpenDeliveries open_deliveries_;
  rpc::Gate gate_;
  rpc::Strangers strangers_;
  rpc::AuditLog audit_;
  const rpc::Reception reception_;
  rpc::ApiKeyService api_key_service_;
};

}  // namespace postrider
