// The names around an event and `data` as a Struct: what passes makes a body that is one JSON
// object, with the same data in it, whatever the order in which a Struct holds its keys.

#include <algorithm>
#include <string>

#include "google/protobuf/struct.pb.h"
#include "server/envelope/envelope.h"
#include "server/envelope/json_check.h"
#include "server/envelope/names.h"
#include "server/envelope/struct_json.h"
#include "tests/fuzz/fuzz_target.h"

namespace postrider::envelope {
namespace {

// What comes before the next zero byte.
std::string_view TakeText(std::string_view& rest) {
  const std::string_view text = rest.substr(0, rest.find('\0'));
  rest.remove_prefix(std::min(text.size() + 1, rest.size()));
  return text;
}

void CheckBody(std::string_view type, std::string_view org, std::string_view env,
               const std::string& data) {
  const EnvelopeFields fields{"evt_01ARZ3NDEKTSV4RRFFQ69G5FAV", type,
                              absl::FromUnixSeconds(1772980200), org, env};
  const std::string body = MakeEnvelope(fields, data);
  FUZZ_EXPECT(EnvelopeData(body) == data);
  JsonLimits limits;
  limits.max_bytes += 4096;
  limits.max_depth += 1;
  const absl::StatusOr<std::string_view> whole = CheckJsonObject(body, limits);
  FUZZ_EXPECT(whole.ok() && *whole == body);
  // Names that passed need no escapes.
  for (const std::string_view name : {type, org, env}) {
    FUZZ_EXPECT(body.find("\"" + std::string(name) + "\"") != std::string::npos);
  }
}

}  // namespace
}  // namespace postrider::envelope

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace postrider::envelope;  // NOLINT: what is tried here
  std::string_view rest = postrider::fuzz::TextOf(data, size);
  std::string_view type = TakeText(rest);
  std::string_view org = TakeText(rest);
  std::string_view env = TakeText(rest);
  if (!CheckEventType(type).ok()) type = "a.b";
  if (!CheckTenantId(org).ok()) org = "org_1";
  if (!CheckTenantId(env).ok()) env = "env_1";
  google::protobuf::Struct given;
  if (!given.ParseFromArray(rest.data(), static_cast<int>(rest.size()))) return 0;
  const absl::StatusOr<std::string> printed = PrintStruct(given);
  if (!printed.ok()) {
    FUZZ_EXPECT(printed.status().code() == absl::StatusCode::kInvalidArgument);
    return 0;
  }
  const absl::StatusOr<std::string_view> checked = CheckJsonObject(*printed);
  FUZZ_EXPECT(checked.ok() && *checked == *printed);
  google::protobuf::Struct again;
  FUZZ_EXPECT(again.ParseFromString(given.SerializeAsString()));
  FUZZ_EXPECT(*PrintStruct(again) == *printed);
  CheckBody(type, org, env, *printed);
  return 0;
}
