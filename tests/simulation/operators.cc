#include <utility>

#include "absl/strings/str_cat.h"
#include "server/security/endpoint_seal.h"
#include "server/signing/secret.h"
#include "tests/simulation/people.h"

namespace postrider::simulation {
namespace {

constexpr size_t kMaxEndpoints = 40;

}  // namespace

void Operators::Begin() {
  const size_t count = weather_.endpoints > 0 ? weather_.endpoints : 3 + dice_.Below(8);
  for (size_t i = 0; i < count; ++i) CreateEndpoint();
  if (weather_.operation < absl::InfiniteDuration()) {
    timeline_.After(dice_.Wait(weather_.operation), [this] { DoSomething(); });
  }
}

void Operators::Change(EndpointConfig& config, EndpointId id, size_t number) {
  config.url = absl::StrCat("https://", "receiver-", number % weather_.hosts, ".example.com/",
                            id.ulid.ToText(), "/", next_url_++);
  config.retry_schedule.clear();
  for (size_t i = dice_.Below(5); i > 0; --i) {
    config.retry_schedule.push_back(dice_.Spread(absl::Seconds(1), absl::Seconds(20)));
  }
  config.retries_disabled = dice_.Chance(0.05);
  config.max_in_flight = dice_.OneOf<int32_t>({1, 2, 5, 32});
  config.rate_limit_per_second.reset();
  if (dice_.Chance(0.1)) config.rate_limit_per_second = 20;
  config.ordered = dice_.Chance(0.25);
}

void Operators::CreateEndpoint() {
  Endpoint endpoint;
  endpoint.id = EndpointId{ulids_.Next(database_.Now())};
  endpoint.tenant = dice_.OneOf(Tenants());
  Change(endpoint.config, endpoint.id, endpoints_.size());
  // Not changed later: which one a failure counted against must be certain.
  endpoint.config.disable_threshold = dice_.OneOf<int32_t>({0, 3, 8, 50});
  endpoint.config.events = dice_.OneOf<std::vector<std::string>>(
      {{}, {}, {"user.*"}, {"order.paid"}, {"user.created", "order.*"}});
  const std::string id = endpoint.id.ToText();
  const auto random = [this](size_t size) {
    std::string bytes;
    while (bytes.size() < size) bytes.push_back(static_cast<char>(dice_.Next()));
    return bytes;
  };
  EndpointSecret secret;
  secret.version = 1;
  const auto sealed =
      keys_.Seal(signing::GenerateHmacSecret(random),
                 security::AssociatedData(security::SecretContext(endpoint.tenant, id, 1)), random);
  secret.sealed = {sealed->key_id, sealed->nonce, sealed->bytes};
  receivers_.Add(endpoint.id);
  endpoints_.push_back(endpoint.id);
  database_.CreateEndpoint(std::move(endpoint), std::move(secret));
}

void Operators::Answered(Operation operation) {
  operation.time = database_.Now();
  journal_.operations.push_back(operation);
}

void Operators::DoSomething() {
  if (calm_) return;
  timeline_.After(dice_.Wait(weather_.operation), [this] { DoSomething(); });
  using Kind = Operation::Kind;
  const size_t number = dice_.Below(endpoints_.size());
  const EndpointId id = endpoints_[number];
  const double kind = dice_.Fraction();
  if (kind < 0.25) {
    if (database_.UpdateEndpoint(id, [&](EndpointConfig& config) { Change(config, id, number); })
            .ok()) {
      Answered({Kind::kUpdate, id, {}, {}});
    }
  } else if (kind < 0.4) {
    if (database_.DisableEndpoint(id).ok()) Answered({Kind::kDisable, id, {}, {}});
  } else if (kind < 0.65) {
    const bool discard = dice_.Chance(0.2);
    if (database_.EnableEndpoint(id, discard).ok()) {
      Answered({discard ? Kind::kDiscard : Kind::kEnable, id, {}, {}});
    }
  } else if (kind < 0.7) {
    if (database_.DeleteEndpoint(id).ok()) Answered({Kind::kDelete, id, {}, {}});
  } else if (kind < 0.8) {
    if (endpoints_.size() < kMaxEndpoints) CreateEndpoint();
  } else if (!publishers_.deliveries().empty()) {
    // One of the latest, so that it has a chance to be open.
    const auto& all = publishers_.deliveries();
    const DeliveryId delivery = all[all.size() - 1 - dice_.Below(std::min<size_t>(all.size(), 50))];
    if (dice_.Chance(0.7)) {
      if (database_.Cancel(delivery).ok()) Answered({Kind::kCancel, {}, delivery, {}});
    } else if (const DeliveryId again{ulids_.Next(database_.Now())};
               database_.Redeliver(delivery, again).ok()) {
      Answered({Kind::kRedeliver, {}, again, {}});
    }
  }
}

void Operators::Calm() {
  calm_ = true;
  for (EndpointId id : endpoints_) {
    if (database_.EnableEndpoint(id, false).ok()) {
      Answered({Operation::Kind::kEnable, id, {}, {}});
    }
  }
}

}  // namespace postrider::simulation
