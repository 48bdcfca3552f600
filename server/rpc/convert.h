// Records made into wire messages. Secrets have no way through here.

#pragma once

#include "postrider/v1/api_key.pb.h"
#include "postrider/v1/attempt.pb.h"
#include "postrider/v1/audit_record.pb.h"
#include "postrider/v1/delivery.pb.h"
#include "postrider/v1/endpoint.pb.h"
#include "postrider/v1/event.pb.h"
#include "storage/model/callers.h"
#include "storage/model/records.h"

namespace postrider::rpc {

// What stands in for a header's value.
inline constexpr char kRedacted[] = "***";

void ToProto(const Event& event, v1::Event* out);
void ToProto(const Endpoint& endpoint, v1::Endpoint* out);
void ToProto(const Delivery& delivery, v1::Delivery* out);
void ToProto(const Attempt& attempt, v1::Attempt* out);
void ToProto(const ApiKey& key, v1::ApiKey* out);
void ToProto(const AuditRecord& record, v1::AuditRecord* out);

std::string EtagOf(const Endpoint& endpoint);

}  // namespace postrider::rpc
