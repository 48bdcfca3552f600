#include "server/rpc/caller.h"

#include <string_view>

#include "grpcpp/server_context.h"

namespace postrider::rpc {
namespace {

// Version 00 of https://www.w3.org/TR/trace-context/, section 3.2.
bool IsTraceparent(std::string_view text) {
  constexpr std::string_view kForm = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (kForm[i] == 'x' ? !hex : c != kForm[i]) return false;
  }
  return true;
}

}  // namespace

void Caller::FillIn(Tenant& tenant_of_request, const std::string& prefix,
                    FieldErrors& errors) const {
  const auto fill = [&](const std::string& mine, std::string& given, const char* field) {
    if (mine.empty()) return;
    if (given.empty()) given = mine;
    if (given != mine) errors.Forbid(prefix + field, "is not the one that this API key is for");
  };
  fill(limit.org_id, tenant_of_request.org_id, "org_id");
  fill(limit.env_id, tenant_of_request.env_id, "env_id");
}

grpc::Status KeyEnded() {
  return Error(grpc::StatusCode::UNAUTHENTICATED, reason::kUnauthenticated,
               "the API key was revoked or has expired");
}

grpc::Status Caller::Charge(int count, absl::Time now) const {
  if (key == nullptr) return grpc::Status::OK;
  if (!key->ValidAt(now)) return KeyEnded();
  if (count == 0) return grpc::Status::OK;
  if (const std::optional<absl::Duration> wait = key->rate.Take(count, MonotonicNow())) {
    return RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kRateLimited,
                      "this API key calls more often than it may: slow down", *wait);
  }
  return grpc::Status::OK;
}

std::string TraceparentOf(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("traceparent");
  if (found == context.client_metadata().end()) return "";
  const std::string_view text(found->second.data(), found->second.size());
  return IsTraceparent(text) ? std::string(text) : "";
}

}  // namespace postrider::rpc
