#ifndef POSTRIDER_TESTS_SUPPORT_JSON_FIELDS_H_
#define POSTRIDER_TESTS_SUPPORT_JSON_FIELDS_H_

#include <string>

namespace postrider::testing {

// The value of the first string member `name` of the compact JSON `text`, as written; "" when there
// is none. Enough for the envelope, whose own strings need no escapes.
std::string JsonString(const std::string& text, const std::string& name);

// The value of the envelope's `data`, byte for byte; "" when `body` is not an envelope.
std::string EnvelopeData(const std::string& body);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_JSON_FIELDS_H_
