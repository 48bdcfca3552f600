#include "server/serving.h"

#include <algorithm>
#include <utility>

#include "server/bootstrap_key.h"
#include "server/config/listen_address.h"
#include "server/observe/log.h"
#include "storage/postgres/open_delivery_reader.h"

namespace postrider {
namespace {

rpc::GateOptions GateOptionsOf(const config::Config& config) {
  rpc::GateOptions options;
  options.client_certificates = !config.tls_client_ca.empty();
  const bool all_local =
      std::all_of(config.listen.begin(), config.listen.end(), config::IsLocalAddress);
  options.trust = config.require_auth ? rpc::LocalTrust::kNobody
                  : all_local         ? rpc::LocalTrust::kEverybody
                                      : rpc::LocalTrust::kMarked;
  return options;
}

// A poll that takes longer than this comes too late for revocations.
SessionOptions Quick(SessionOptions options) {
  options.connect_timeout = options.statement_timeout = absl::Seconds(2);
  return options;
}

}  // namespace

Serving::Serving(const ServingParts& parts, std::unique_ptr<rpc::ServedCertificates> certificates)
    : config_(parts.config),
      certificates_(std::move(certificates)),
      keys_(parts.pool),
      records_(parts.pool),
      directory_(std::make_unique<PgApiKeyReader>(Quick(parts.session)),
                 access::KeyLimits{.calls_per_second = parts.config.key_rate_limit}),
      open_deliveries_(std::make_unique<PgOpenDeliveryReader>(parts.session),
                       parts.config.max_open_deliveries_per_org),
      gate_(directory_, parts.clock, GateOptionsOf(parts.config)),
      audit_(records_, parts.clock, parts.new_record_id),
      reception_{gate_, parts.workers, audit_, open_deliveries_},
      api_key_service_(rpc::ApiKeyParts{keys_, records_, directory_, parts.keys, reception_,
                                        parts.clock, parts.new_key_id}) {}

absl::StatusOr<std::unique_ptr<Serving>> Serving::Start(const ServingParts& parts) {
  const config::Config& config = parts.config;
  std::unique_ptr<rpc::ServedCertificates> certificates;
  if (!config.tls_cert.empty()) {
    absl::StatusOr<std::unique_ptr<rpc::ServedCertificates>> opened =
        rpc::ServedCertificates::Open({config.tls_cert, config.tls_key, config.tls_client_ca});
    if (!opened.ok()) return opened.status();
    certificates = *std::move(opened);
  }
  if (config.insecure) {
    observe::Log(observe::Severity::kWarning,
                 "listening without TLS is allowed: keys and payloads can be read on the way");
  }
  auto serving = std::unique_ptr<Serving>(new Serving(parts, std::move(certificates)));
  if (!config.bootstrap_key.empty()) {
    const ApiKeyId id = parts.new_key_id(parts.clock.Now());
    absl::Status status = WriteBootstrapKey(config.bootstrap_key, id, serving->keys_);
    if (!status.ok()) return status;
  }
  if (absl::Status status = serving->directory_.Start(); !status.ok()) return status;
  return serving;
}

bool Serving::IsTrusted(const std::string& listen_address) const {
  return !config_.require_auth && config::IsLocalAddress(listen_address);
}

bool Serving::AllTrusted() const {
  return std::all_of(config_.listen.begin(), config_.listen.end(),
                     [this](const std::string& address) { return IsTrusted(address); });
}

std::vector<rpc::Listener> Serving::Listeners() {
  std::vector<rpc::ListenAddress> addresses;
  for (const std::string& address : config_.listen) {
    addresses.push_back({address, config::IsUnixAddress(address),
                         config::IsLoopbackAddress(address), IsTrusted(address)});
  }
  return rpc::MakeListeners(addresses, certificates_.get(),
                            std::make_shared<rpc::Door>(gate_, strangers_));
}

}  // namespace postrider
