// A command that lists: as many calls as the number of resources asked for needs.

#ifndef POSTRIDER_TOOLS_POSTRIDER_LIST_CALL_H_
#define POSTRIDER_TOOLS_POSTRIDER_LIST_CALL_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "client/client.h"
#include "tools/postrider/call.h"
#include "tools/postrider/fill_request.h"

namespace postrider::cli {

inline constexpr int32_t kMaxPageSize = 1000;  // what the server returns at most

// Collects pages until there are `--limit` resources or no more. No page asks for more than is
// still wanted, so the token in the answer goes on exactly where it ends.
template <class Request, class Response>
Outcome ListCall(const Invocation& invocation) {
  Request request;
  if (absl::Status status = FillRequest(invocation.command, invocation.args, &request);
      !status.ok()) {
    return UsageError(invocation.command, status.message());
  }
  int32_t limit = 0;
  if (!absl::SimpleAtoi(invocation.args.Get("--limit"), &limit) || limit < 1) {
    return UsageError(invocation.command, "--limit is not a whole number of 1 or more");
  }
  const absl::StatusOr<client::Client> server = Connect(invocation.args);
  if (!server.ok()) return UsageError(invocation.command, server.status().message());

  const int32_t page_size = request.page_size() == 0 ? kMaxPageSize : request.page_size();
  const google::protobuf::FieldDescriptor* resources = Response::descriptor()->field(0);
  Response all;
  while (true) {
    const int32_t missing = limit - all.GetReflection()->FieldSize(all, resources);
    request.set_page_size(std::min(page_size, missing));
    Response page;
    if (absl::Status status = server->Call(request, &page); !status.ok()) {
      return CallError(invocation, status);
    }
    const bool is_last = page.next_page_token().empty() ||
                         page.next_page_token() == request.page_token() ||
                         page.GetReflection()->FieldSize(page, resources) >= missing;
    request.set_page_token(page.next_page_token());
    all.clear_next_page_token();
    all.MergeFrom(page);
    if (is_last) return Answer(invocation, all);
  }
}

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_LIST_CALL_H_
