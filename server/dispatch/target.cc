#include "server/dispatch/target.h"

#include <algorithm>

#include "server/security/endpoint_seal.h"

namespace postrider::dispatch {
namespace {

// What is no secret and needed also when nothing can be sent: attempts in flight may still end.
std::shared_ptr<Target> Known(const Endpoint& endpoint, const DeliveryDefaults& defaults) {
  const EndpointConfig& config = endpoint.config;
  auto target = std::make_shared<Target>();
  target->id = endpoint.id;
  target->org_id = endpoint.tenant.org_id;
  target->state = endpoint.state;
  target->ordered = config.ordered;
  target->revision = endpoint.revision;
  target->consecutive_failures = endpoint.consecutive_failures;
  target->failure.retry.delays =
      config.retry_schedule.empty() ? defaults.retry_schedule : config.retry_schedule;
  target->failure.retry.retries_disabled = config.retries_disabled;
  target->failure.disable_on_gone = defaults.disable_on_gone;
  target->disable_threshold = config.disable_threshold.value_or(defaults.disable_threshold);
  return target;
}

}  // namespace

std::shared_ptr<const Target> TargetWithoutSecrets(const Endpoint& endpoint,
                                                   const DeliveryDefaults& defaults) {
  return Known(endpoint, defaults);
}

absl::StatusOr<std::shared_ptr<const Target>> MakeTarget(const EndpointForDispatch& stored,
                                                         const security::KeyRing& keys,
                                                         const http::DestinationPolicy& policy,
                                                         const DeliveryDefaults& defaults) {
  const Endpoint& endpoint = stored.endpoint;
  const EndpointConfig& config = endpoint.config;
  const std::string id = endpoint.id.ToText();
  const std::shared_ptr<Target> target = Known(endpoint, defaults);

  absl::StatusOr<http::ParsedUrl> url = http::CheckUrl(config.url, policy);
  if (url.ok()) {
    target->url = *std::move(url);
  } else {
    target->url_error = std::string(url.status().message());
  }
  if (config.headers) {
    const security::SealedSecret sealed{config.headers->key_id, config.headers->nonce,
                                        config.headers->bytes};
    absl::StatusOr<std::string> packed =
        keys.Open(sealed, security::AssociatedData(security::HeadersContext(endpoint.tenant, id)));
    if (!packed.ok()) return packed.status();
    target->headers = security::UnpackHeaders(*packed);
    security::Cleanse(packed->data(), packed->size());
  }
  absl::Status unopened;
  for (const EndpointSecret& secret : stored.secrets) {
    const security::SealedSecret sealed{secret.sealed.key_id, secret.sealed.nonce,
                                        secret.sealed.bytes};
    absl::StatusOr<std::string> text = keys.Open(
        sealed,
        security::AssociatedData(security::SecretContext(endpoint.tenant, id, secret.version)));
    if (!text.ok()) {
      unopened.Update(text.status());
      continue;
    }
    absl::StatusOr<signing::SigningKey> key = signing::ParseSigningKey(*text);
    security::Cleanse(text->data(), text->size());
    if (!key.ok()) return key.status();
    target->secrets.push_back(
        {*std::move(key), secret.expire_time.value_or(absl::InfiniteFuture())});
  }
  if (target->secrets.empty() && !unopened.ok()) return unopened;

  // In order means one at a time, on the one node that has the endpoint.
  target->max_in_flight =
      config.ordered ? 1 : config.max_in_flight.value_or(defaults.max_in_flight);
  target->rate_per_second = config.rate_limit_per_second.value_or(0);
  target->timeout =
      std::min(config.timeout.value_or(defaults.attempt_timeout), defaults.attempt_timeout);
  target->connect_timeout = std::min(defaults.connect_timeout, target->timeout);
  return std::shared_ptr<const Target>(target);
}

}  // namespace postrider::dispatch
