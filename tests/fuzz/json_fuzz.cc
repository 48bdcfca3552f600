// The check of `data_json` and the envelope around it: what passes is sent byte for byte, inside a
// body that passes the same check.

#include <string>

#include "server/envelope/envelope.h"
#include "server/envelope/json_check.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace postrider::envelope;  // NOLINT: what is tried here
  const std::string_view text = postrider::fuzz::TextOf(data, size);
  JsonLimits limits;
  const absl::StatusOr<std::string_view> object = CheckJsonObject(text, limits);
  if (!object.ok()) {
    FUZZ_EXPECT(object.status().code() == absl::StatusCode::kInvalidArgument);
    return 0;
  }
  FUZZ_EXPECT(object->data() >= text.data() &&
              object->data() + object->size() <= text.data() + text.size());
  FUZZ_EXPECT(object->front() == '{' && object->back() == '}');
  FUZZ_EXPECT(object->size() <= limits.max_bytes);
  const EnvelopeFields fields{"evt_01ARZ3NDEKTSV4RRFFQ69G5FAV", "message.received",
                              absl::FromUnixSeconds(1772980200), "org_1", "env_1"};
  const std::string body = MakeEnvelope(fields, *object);
  FUZZ_EXPECT(EnvelopeData(body) == *object);
  FUZZ_EXPECT(EnvelopePrefixLength(body) + object->size() + 1 == body.size());
  limits.max_bytes += 4096;
  limits.max_depth += 1;
  const absl::StatusOr<std::string_view> whole = CheckJsonObject(body, limits);
  FUZZ_EXPECT(whole.ok() && *whole == body);
  return 0;
}
