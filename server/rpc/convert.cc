#include "server/rpc/convert.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/envelope/envelope.h"
#include "server/envelope/json_text.h"
#include "server/rpc/times.h"

namespace postrider::rpc {
namespace {

// Receivers send any bytes; a string field holds UTF-8 alone.
std::string Utf8OrReplaced(const std::string& text) {
  if (envelope::IsValidUtf8(text)) return text;
  std::string clean;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80) {
      clean.push_back(c);
    } else {
      clean.append("\xEF\xBF\xBD");
    }
  }
  return clean;
}

v1::EndpointState StateOf(EndpointState state) {
  switch (state) {
    case EndpointState::kEnabled:
      return v1::ENDPOINT_STATE_ENABLED;
    case EndpointState::kDisabled:
    case EndpointState::kDeleted:
      return v1::ENDPOINT_STATE_DISABLED;
  }
  return v1::ENDPOINT_STATE_UNSPECIFIED;
}

}  // namespace

std::string EtagOf(const Endpoint& endpoint) { return absl::StrCat(endpoint.revision); }

void ToProto(const Event& event, v1::Event* out) {
  out->set_id(event.id.ToText());
  out->set_type(event.type);
  ToProto(event.event_time, out->mutable_timestamp());
  out->set_org_id(event.tenant.org_id);
  out->set_env_id(event.tenant.env_id);
  if (event.body) out->set_data_json(std::string(envelope::EnvelopeData(*event.body)));
  out->set_idempotency_key(event.idempotency_key);
  ToProto(event.create_time, out->mutable_create_time());
  out->set_traceparent(event.traceparent);
}

void ToProto(const Endpoint& endpoint, v1::Endpoint* out) {
  const EndpointConfig& config = endpoint.config;
  out->set_id(endpoint.id.ToText());
  out->set_org_id(endpoint.tenant.org_id);
  out->set_env_id(endpoint.tenant.env_id);
  out->set_url(config.url);
  for (const std::string& pattern : config.events) out->add_events(pattern);
  out->set_description(config.description);
  for (const auto& [name, value] : config.metadata) (*out->mutable_metadata())[name] = value;
  for (const std::string& name : config.header_names) (*out->mutable_headers())[name] = kRedacted;
  for (absl::Duration delay : config.retry_schedule) ToProto(delay, out->add_retry_schedule());
  out->set_retries_disabled(config.retries_disabled);
  if (config.disable_threshold) out->set_disable_threshold(*config.disable_threshold);
  if (config.timeout) ToProto(*config.timeout, out->mutable_timeout());
  if (config.max_in_flight) out->set_max_in_flight(*config.max_in_flight);
  if (config.rate_limit_per_second) out->set_rate_limit_per_second(*config.rate_limit_per_second);
  out->set_ordered(config.ordered);
  out->set_signature_scheme(static_cast<v1::SignatureScheme>(endpoint.signature_scheme));
  out->set_state(StateOf(endpoint.state));
  out->set_disabled_reason(static_cast<v1::DisabledReason>(endpoint.disabled_reason));
  if (endpoint.disable_time) ToProto(*endpoint.disable_time, out->mutable_disable_time());
  out->set_consecutive_failures(endpoint.consecutive_failures);
  out->set_public_key(endpoint.public_key);
  out->set_secret_hint(endpoint.secret_hint);
  out->set_etag(EtagOf(endpoint));
  ToProto(endpoint.create_time, out->mutable_create_time());
  ToProto(endpoint.update_time, out->mutable_update_time());
}

void ToProto(const Delivery& delivery, v1::Delivery* out) {
  out->set_id(delivery.id.ToText());
  out->set_event_id(delivery.event_id.ToText());
  out->set_endpoint_id(delivery.endpoint_id.ToText());
  out->set_org_id(delivery.tenant.org_id);
  out->set_env_id(delivery.tenant.env_id);
  out->set_event_type(delivery.event_type);
  out->set_origin(static_cast<v1::DeliveryOrigin>(delivery.origin));
  out->set_state(static_cast<v1::DeliveryState>(delivery.state));
  out->set_state_reason(static_cast<v1::DeliveryStateReason>(delivery.state_reason));
  out->set_attempt_count(delivery.attempt_count);
  if (delivery.next_attempt_time) {
    ToProto(*delivery.next_attempt_time, out->mutable_next_attempt_time());
  }
  ToProto(delivery.create_time, out->mutable_create_time());
  if (delivery.complete_time) ToProto(*delivery.complete_time, out->mutable_complete_time());
}

void ToProto(const Attempt& attempt, v1::Attempt* out) {
  out->set_id(attempt.id.ToText());
  out->set_delivery_id(attempt.delivery_id.ToText());
  out->set_event_id(attempt.event_id.ToText());
  out->set_endpoint_id(attempt.endpoint_id.ToText());
  out->set_number(attempt.number);
  ToProto(attempt.start_time, out->mutable_start_time());
  // How long an abandoned one took nobody knows.
  if (attempt.outcome != AttemptOutcome::kAbandoned) {
    ToProto(attempt.duration, out->mutable_duration());
  }
  out->set_outcome(static_cast<v1::AttemptOutcome>(attempt.outcome));
  out->set_http_status(attempt.http_status);
  out->set_error(attempt.error);
  out->set_remote_address(attempt.remote_address);
  out->set_send_count(attempt.send_count);
  for (const auto& [name, value] : attempt.response_headers) {
    v1::HttpHeader* header = out->add_response_headers();
    header->set_name(Utf8OrReplaced(name));
    header->set_value(Utf8OrReplaced(value));
  }
  out->set_response_body(attempt.response_body);
  out->set_response_body_truncated(attempt.response_body_truncated);
  // A part that did not take place is unset.
  const AttemptPhases& phases = attempt.phases;
  v1::AttemptPhases* shown = out->mutable_phases();
  if (phases.dns > absl::ZeroDuration()) ToProto(phases.dns, shown->mutable_dns());
  if (phases.connect > absl::ZeroDuration()) ToProto(phases.connect, shown->mutable_connect());
  if (phases.tls > absl::ZeroDuration()) ToProto(phases.tls, shown->mutable_tls());
  if (phases.first_byte > absl::ZeroDuration()) {
    ToProto(phases.first_byte, shown->mutable_first_byte());
  }
  out->set_origin(static_cast<v1::DeliveryOrigin>(attempt.origin));
}

void ToProto(const ApiKey& key, v1::ApiKey* out) {
  out->set_id(key.id.ToText());
  out->set_description(key.description);
  for (const Scope scope : key.scopes.List()) out->add_scopes(static_cast<v1::Scope>(scope));
  out->set_org_id(key.limit.org_id);
  out->set_env_id(key.limit.env_id);
  ToProto(key.create_time, out->mutable_create_time());
  if (key.expire_time) ToProto(*key.expire_time, out->mutable_expire_time());
  if (key.last_use_time) ToProto(*key.last_use_time, out->mutable_last_use_time());
  out->set_certificate_san(key.certificate_san);
}

void ToProto(const AuditRecord& record, v1::AuditRecord* out) {
  out->set_id(record.id.ToText());
  ToProto(record.create_time, out->mutable_create_time());
  if (record.key_id) out->set_api_key_id(record.key_id->ToText());
  out->set_remote_address(record.remote_address);
  out->set_rpc(record.rpc);
  out->set_resource_id(record.resource_id);
  out->set_org_id(record.tenant.org_id);
  out->set_env_id(record.tenant.env_id);
  if (record.code) out->set_code(*record.code);
}

}  // namespace postrider::rpc
