// One received webhook: judged, answered and told to people.

#ifndef POSTRIDER_TOOLS_POSTRIDER_RECEIVED_H_
#define POSTRIDER_TOOLS_POSTRIDER_RECEIVED_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/signing/verify.h"
#include "tools/postrider/http_request.h"

namespace postrider::cli {

enum class Verdict {
  kVerified,    // the signature is right
  kUnverified,  // accepted without a look: there is no secret to check with
  kRefused,
};

struct Received {
  absl::Time time;
  Verdict verdict = Verdict::kRefused;
  std::string reason;  // of a refusal
  int answer = 0;      // the HTTP status that is sent back
  std::string event_type;
  std::string event_id;
  std::string delivery_id;
  std::string attempt;
  std::string body;
};

// Checks a request as it came in. Refuses all but POST (405), and with `secrets` whatever is not
// signed by one of them within the usual tolerance of `now` (400); else answers
// `accepted_status`. Type and id are read from the body, if it is a JSON object that has them.
// Thread-safe.
Received Judge(const HttpRequest& request, const std::vector<signing::VerifyingKey>& secrets,
               int accepted_status, absl::Time now);

// A request that could not even be read.
Received JudgeRefused(const Refused& refused, absl::Time now);

// One line for people, and under it the body if asked for; or one JSON object on one line. Nothing
// in it can steer a terminal. Thread-safe.
std::string RenderReceived(const Received& received, bool json, bool show_body);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_RECEIVED_H_
