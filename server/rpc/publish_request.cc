#include "server/rpc/publish_request.h"

#include <memory>
#include <utility>

#include "server/envelope/envelope.h"
#include "server/envelope/json_check.h"
#include "server/envelope/names.h"
#include "server/envelope/struct_json.h"
#include "server/rpc/times.h"
#include "server/security/digest.h"

namespace postrider::rpc {
namespace {

// What the envelope shows is what is kept, and what is compared under a key.
absl::Time CutToMilliseconds(absl::Time time) {
  return absl::FromUnixMillis(absl::ToUnixMillis(time));
}

std::string Text(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

void CheckPublish(const v1::PublishRequest& request, const Caller& caller,
                  const envelope::JsonLimits& limits, const std::string& prefix, NewEvent& event,
                  std::string& data, FieldErrors& errors) {
  event.tenant = Tenant{request.org_id(), request.env_id()};
  caller.FillIn(event.tenant, prefix, errors);
  if (absl::Status status = envelope::CheckTenantId(event.tenant.org_id); !status.ok()) {
    errors.Add(prefix + "org_id", Text(status));
  }
  if (absl::Status status = envelope::CheckTenantId(event.tenant.env_id); !status.ok()) {
    errors.Add(prefix + "env_id", Text(status));
  }
  event.type = request.type();
  if (absl::Status status = envelope::CheckEventType(event.type); !status.ok()) {
    errors.Add(prefix + "type", Text(status));
  }
  switch (request.payload_case()) {
    case v1::PublishRequest::kData: {
      absl::StatusOr<std::string> printed = envelope::PrintStruct(request.data(), limits, "data");
      if (printed.ok()) {
        data = *std::move(printed);
      } else {
        // The message begins with the path inside the Struct.
        const std::string text = Text(printed.status());
        const size_t end = text.find(' ');
        errors.Add(prefix + "data",
                   text.substr(0, end) == "data" ? text.substr(end + 1) : "is not valid: " + text);
      }
      break;
    }
    case v1::PublishRequest::kDataJson: {
      absl::StatusOr<std::string_view> object =
          envelope::CheckJsonObject(request.data_json(), limits);
      if (object.ok()) {
        data = std::string(*object);
      } else {
        errors.Add(prefix + "data_json", Text(object.status()));
      }
      break;
    }
    case v1::PublishRequest::PAYLOAD_NOT_SET:
      errors.Add(prefix + "data", "or data_json must be set");
      break;
  }
  event.idempotency_key = request.idempotency_key();
  if (!event.idempotency_key.empty()) {
    if (absl::Status status = envelope::CheckIdempotencyKey(event.idempotency_key); !status.ok()) {
      errors.Add(prefix + "idempotency_key", Text(status));
    }
  }
  if (request.has_event_time()) {
    event.given_event_time = FromProto(request.event_time());
    if (!event.given_event_time) {
      errors.Add(prefix + "event_time",
                 "must be between the years 1 and 9999, with 0 to 999999999 nanos");
    } else {
      event.given_event_time = CutToMilliseconds(*event.given_event_time);
    }
  }
}

std::string ContentDigest(const NewEvent& event, const std::string& data) {
  // A type cannot hold the separator.
  return security::Sha256({event.type, "\n", data});
}

void SealEvent(EventId id, absl::Time now, const std::string& data, NewEvent& event) {
  event.id = id;
  event.create_time = absl::FromUnixMicros(absl::ToUnixMicros(now));
  event.event_time = event.given_event_time.value_or(CutToMilliseconds(event.create_time));
  const std::string id_text = id.ToText();
  event.body = std::make_shared<const std::string>(envelope::MakeEnvelope(
      {id_text, event.type, event.event_time, event.tenant.org_id, event.tenant.env_id}, data));
  if (!event.idempotency_key.empty()) event.content_digest = ContentDigest(event, data);
}

}  // namespace postrider::rpc
