// The two rules of JSON text that reading and writing share: UTF-8, and strings.

#ifndef POSTRIDER_SERVER_ENVELOPE_JSON_TEXT_H_
#define POSTRIDER_SERVER_ENVELOPE_JSON_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace postrider::envelope {

// What `data` may be (product rule: 256 KiB, 64 levels).
struct JsonLimits {
  size_t max_bytes = 262144;  // of the object as sent; outer whitespace does not count
  int max_depth = 64;         // objects and arrays inside each other, the outermost is level 1
};

// The size in bytes (1 to 4) of the UTF-8 sequence that starts at `begin`, or 0 if what stands
// there is not well-formed (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above
// U+10FFFF, nothing cut off by `end`). Requires begin < end. Thread-safe.
size_t Utf8SequenceSize(const char* begin, const char* end);

// True if all of `text` is well-formed UTF-8. Thread-safe.
bool IsValidUtf8(std::string_view text);

// Appends `text` as a JSON string with its quotes, escaping only what RFC 8259 section 7 requires:
// quotation mark, reverse solidus and control characters, the short form where there is one, else
// \u00xx in lower case. All other bytes are copied. Thread-safe.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_JSON_TEXT_H_
