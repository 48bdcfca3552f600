#ifndef POSTRIDER_TESTS_SUPPORT_RECEIVED_REQUEST_H_
#define POSTRIDER_TESTS_SUPPORT_RECEIVED_REQUEST_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace postrider::testing {

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

// One HTTP request as it came over the wire.
struct ReceivedRequest {
  int connection = 0;  // Counted from 1 within the receiver.
  absl::Time time;     // When it was complete.
  std::string method;
  std::string target;
  HeaderLines headers;  // In their order, names as received.
  std::string body;     // Raw bytes.

  // The value of the first header of that name, in any case of letters; "" when there is none.
  std::string Header(absl::string_view name) const;
  size_t CountHeaders(absl::string_view name) const;

  // What it says in the headers of its own name.
  std::string WebhookId() const { return Header("webhook-id"); }
  std::string DeliveryId() const { return Header("postrider-delivery-id"); }
  int AttemptNumber() const;  // 0 when there is none.
};

// What came of looking for a request at the beginning of `bytes`.
struct ParsedRequest {
  ReceivedRequest request;
  size_t size = 0;  // How many bytes it took.
};

// The request at the beginning of `bytes`; none while it is not complete. HTTP/1.1 with a body of a
// given length. Sets `*malformed` when it can never become one.
std::optional<ParsedRequest> ParseRequest(absl::string_view bytes, bool* malformed);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_RECEIVED_REQUEST_H_
