// Page tokens: the id of the last row and a digest of the filter, so that a token of another list
// is refused. Not secret; not to be parsed by callers.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "server/rpc/convert.h"
#include "server/rpc/errors.h"
#include "storage/model/records.h"

namespace postrider::rpc {

inline constexpr int32_t kDefaultPageSize = 50;
inline constexpr int32_t kMaxPageSize = 1000;
// A page stops before its rows hold more than this.
inline constexpr int64_t kMaxPageBytes = int64_t{3} << 20;

std::string MakePageToken(const Ulid& last, std::string_view filter);

// page_size and page_token of a list request: 0 is 50, over 1000 is 1000, negative is refused.
// `filter` is what the request's other fields say, see FilterOf.
PageRequest CheckPage(int32_t page_size, const std::string& page_token, std::string_view filter,
                      FieldErrors& errors);

// A message as bytes that are the same for the same content, maps included.
std::string DeterministicBytes(const google::protobuf::Message& message);

// What a list request says besides its paging, as a text.
template <typename Request>
std::string FilterOf(Request request) {
  request.clear_page_size();
  request.clear_page_token();
  return request.GetTypeName() + DeterministicBytes(request);
}

// Rows into a response, as many as a page may hold, and the token for what is behind them. `out` is
// the response's repeated field.
template <typename Row, typename Message, typename Response>
void FillPage(const Page<Row>& page, std::string_view filter,
              google::protobuf::RepeatedPtrField<Message>* out, Response& response) {
  int64_t bytes = 0;
  for (const Row& row : page.rows) {
    Message* message = out->Add();
    ToProto(row, message);
    bytes += static_cast<int64_t>(message->ByteSizeLong());
    if (bytes > kMaxPageBytes && out->size() > 1) {
      out->RemoveLast();
      break;
    }
  }
  const size_t filled = static_cast<size_t>(out->size());
  if (filled > 0 && (page.more || filled < page.rows.size())) {
    response.set_next_page_token(MakePageToken(page.rows[filled - 1].id.ulid, filter));
  }
}

}  // namespace postrider::rpc
