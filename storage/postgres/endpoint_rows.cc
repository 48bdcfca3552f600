#include "storage/postgres/endpoint_rows.h"

namespace postrider {

Endpoint EndpointOfRow(const Result& rows, int row) {
  Endpoint endpoint;
  endpoint.id = EndpointId{rows.Uuid(row, 0)};
  endpoint.tenant = Tenant{rows.Text(row, 1), rows.Text(row, 2)};
  EndpointConfig& config = endpoint.config;
  config.url = rows.Text(row, 3);
  config.events = rows.TextArray(row, 4);
  config.description = rows.Text(row, 5);
  config.header_names = rows.TextArray(row, 6);
  if (!rows.IsNull(row, 7)) {
    config.headers = SealedBytes{rows.Text(row, 7), rows.Text(row, 8), rows.Text(row, 9)};
  }
  for (int64_t ms : rows.IntArray(row, 10)) {
    config.retry_schedule.push_back(absl::Milliseconds(ms));
  }
  config.retries_disabled = rows.Bool(row, 11);
  if (!rows.IsNull(row, 12)) config.disable_threshold = static_cast<int32_t>(rows.Int(row, 12));
  if (!rows.IsNull(row, 13)) config.timeout = absl::Milliseconds(rows.Int(row, 13));
  if (!rows.IsNull(row, 14)) config.max_in_flight = static_cast<int32_t>(rows.Int(row, 14));
  if (!rows.IsNull(row, 15)) config.rate_limit_per_second = rows.Float8(row, 15);
  config.ordered = rows.Bool(row, 16);
  const std::vector<std::string> keys = rows.TextArray(row, 17);
  const std::vector<std::string> values = rows.TextArray(row, 18);
  for (size_t i = 0; i < keys.size() && i < values.size(); ++i)
    config.metadata[keys[i]] = values[i];
  endpoint.signature_scheme = static_cast<SignatureScheme>(rows.Int(row, 19));
  endpoint.public_key = rows.Text(row, 20);
  endpoint.secret_hint = rows.Text(row, 21);
  endpoint.revision = rows.Int(row, 22);
  endpoint.create_time = rows.Time(row, 23);
  endpoint.update_time = rows.Time(row, 24);
  endpoint.state = static_cast<EndpointState>(rows.Int(row, 25));
  endpoint.disabled_reason = static_cast<DisabledReason>(rows.Int(row, 26));
  endpoint.disable_time = rows.OptionalTime(row, 27);
  endpoint.consecutive_failures = static_cast<int32_t>(rows.Int(row, 28));
  return endpoint;
}

EndpointSecret SecretOfRow(const Result& rows, int row, int column) {
  EndpointSecret secret;
  secret.version = static_cast<int32_t>(rows.Int(row, column));
  secret.scheme = static_cast<SignatureScheme>(rows.Int(row, column + 1));
  secret.sealed = SealedBytes{rows.Text(row, column + 2), rows.Text(row, column + 3),
                              rows.Text(row, column + 4)};
  secret.create_time = rows.Time(row, column + 5);
  secret.expire_time = rows.OptionalTime(row, column + 6);
  return secret;
}

void AddConfig(const EndpointConfig& config, Params& params) {
  const auto text = [](const std::string& s) -> std::string_view { return s; };
  params.Text(config.url)
      .TextArray(config.events, text)
      .Text(config.description)
      .TextArray(config.header_names, text);
  if (config.headers) {
    params.Text(config.headers->key_id).Bytes(config.headers->nonce).Bytes(config.headers->bytes);
  } else {
    params.OptionalText("").OptionalBytes(std::nullopt).OptionalBytes(std::nullopt);
  }
  std::optional<int32_t> timeout_ms;
  if (config.timeout) timeout_ms = static_cast<int32_t>(absl::ToInt64Milliseconds(*config.timeout));
  params
      .Int8Array(config.retry_schedule,
                 [](absl::Duration d) { return absl::ToInt64Milliseconds(d); })
      .Bool(config.retries_disabled)
      .Int4(config.disable_threshold)
      .Int4(timeout_ms)
      .Int4(config.max_in_flight)
      .Float8(config.rate_limit_per_second)
      .Bool(config.ordered)
      .TextArray(config.metadata, [](const auto& entry) -> std::string_view { return entry.first; })
      .TextArray(config.metadata,
                 [](const auto& entry) -> std::string_view { return entry.second; });
}

}  // namespace postrider
