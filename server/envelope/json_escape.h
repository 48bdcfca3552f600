// The \u escapes of JSON strings, for the check and for what compares keys.

#ifndef POSTRIDER_SERVER_ENVELOPE_JSON_ESCAPE_H_
#define POSTRIDER_SERVER_ENVELOPE_JSON_ESCAPE_H_

#include <string>
#include <string_view>

namespace postrider::envelope {

// Halves of a UTF-16 surrogate pair; false for anything else, -1 included.
constexpr bool IsHighSurrogate(int unit) { return unit >= 0xd800 && unit <= 0xdbff; }
constexpr bool IsLowSurrogate(int unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

// The value of the four hex digits at `p`, or -1 if they are not all there before `end`.
// Thread-safe.
int ReadHex4(const char* p, const char* end);

// What a JSON string stands for, in UTF-8. `raw` is what stands between its quotes and must have
// been checked: every escape whole, surrogates in pairs. Thread-safe.
std::string DecodeJsonString(std::string_view raw);

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_JSON_ESCAPE_H_
