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

Caller CallerOf(const grpc::CallbackServerContext&) { return Caller{}; }

std::string TraceparentOf(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("traceparent");
  if (found == context.client_metadata().end()) return "";
  const std::string_view text(found->second.data(), found->second.size());
  return IsTraceparent(text) ? std::string(text) : "";
}

}  // namespace postrider::rpc
