#include "server/envelope/json_text.h"

namespace postrider::envelope {
namespace {

bool InRange(unsigned char byte, unsigned char low, unsigned char high) {
  return byte >= low && byte <= high;
}

void AppendEscaped(unsigned char c, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  out->push_back('\\');
  switch (c) {
    case '"':
    case '\\':
      out->push_back(static_cast<char>(c));
      return;
    case '\b':
      out->push_back('b');
      return;
    case '\f':
      out->push_back('f');
      return;
    case '\n':
      out->push_back('n');
      return;
    case '\r':
      out->push_back('r');
      return;
    case '\t':
      out->push_back('t');
      return;
    default:
      out->append("u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 15]);
      return;
  }
}

}  // namespace

size_t Utf8SequenceSize(const char* begin, const char* end) {
  const auto* p = reinterpret_cast<const unsigned char*>(begin);
  const size_t left = static_cast<size_t>(end - begin);
  const unsigned char first = p[0];
  if (first < 0x80) return 1;
  if (first < 0xe0) {
    return InRange(first, 0xc2, 0xdf) && left >= 2 && InRange(p[1], 0x80, 0xbf) ? 2 : 0;
  }
  if (first < 0xf0) {
    const unsigned char low = first == 0xe0 ? 0xa0 : 0x80;   // below: overlong
    const unsigned char high = first == 0xed ? 0x9f : 0xbf;  // above: a surrogate
    return left >= 3 && InRange(p[1], low, high) && InRange(p[2], 0x80, 0xbf) ? 3 : 0;
  }
  const unsigned char low = first == 0xf0 ? 0x90 : 0x80;   // below: overlong
  const unsigned char high = first == 0xf4 ? 0x8f : 0xbf;  // above: beyond U+10FFFF
  return first <= 0xf4 && left >= 4 && InRange(p[1], low, high) && InRange(p[2], 0x80, 0xbf) &&
                 InRange(p[3], 0x80, 0xbf)
             ? 4
             : 0;
}

bool IsValidUtf8(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const size_t size = Utf8SequenceSize(p, end);
    if (size == 0) return false;
    p += size;
  }
  return true;
}

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text.substr(copied, i - copied));
    AppendEscaped(c, out);
    copied = i + 1;
  }
  out->append(text.substr(copied));
  out->push_back('"');
}

}  // namespace postrider::envelope
