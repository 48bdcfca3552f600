// The body that every attempt of an event sends.

#ifndef POSTRIDER_SERVER_ENVELOPE_ENVELOPE_H_
#define POSTRIDER_SERVER_ENVELOPE_ENVELOPE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace postrider::envelope {

// What is put around `data`, in the order of the body (product page, "The event").
struct EnvelopeFields {
  std::string_view id;
  std::string_view type;
  absl::Time timestamp;
  std::string_view org_id;
  std::string_view env_id;
};

// The body, without whitespace of its own:
//   {"id":"evt_…","type":"message.received","timestamp":"2026-03-08T14:30:00.000Z",
//    "org_id":"…","env_id":"…","data":{…}}
// (in one line). `data_json` is copied as it is and must be one object as CheckJsonObject gives it
// back. The texts of `fields` are expected to have passed their checks; should one hold what JSON
// must escape, it is escaped. Thread-safe.
std::string MakeEnvelope(const EnvelopeFields& fields, std::string_view data_json);

// The `data` of a body that MakeEnvelope made, byte for byte as it went in: a view into `body`.
// Empty if `body` has another form; data itself is never empty. Thread-safe.
std::string_view EnvelopeData(std::string_view body);

// Where in `body` its data begins, in bytes; 0 if `body` has another form. Thread-safe.
size_t EnvelopePrefixLength(std::string_view body);

// ISO 8601 in UTC with exactly three decimals, `2026-03-08T14:30:00.000Z`, always 24 characters.
// What is finer than a millisecond is cut, toward the past. Years outside 0001 to 9999, which
// google.protobuf.Timestamp cannot hold either, become the first or last instant of that range.
// Thread-safe.
std::string FormatTimestamp(absl::Time time);

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_ENVELOPE_H_
