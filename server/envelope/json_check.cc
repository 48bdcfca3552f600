#include "server/envelope/json_check.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/envelope/json_escape.h"
#include "server/envelope/json_keys.h"

namespace postrider::envelope {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsPlainStringByte(char c) {
  const unsigned char byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

// A mask whose lowest set bit marks the first byte of `word` (in memory order, little-endian) that
// is not a plain string byte; 0 if all are. Borrows can set bits above the lowest wrongly, never
// below it.
uint64_t MarkNotPlain(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t backslash = word ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) |
          ((word - kOnes * 0x20) & ~word) | word) &
         (kOnes * 0x80);
}

// One walk over one text. A scan function that returns false has set the error.
class JsonWalk {
 public:
  JsonWalk(std::string_view text, int max_depth)
      : p_(text.data()), end_(p_ + text.size()), max_depth_(max_depth) {}

  // True if the text is one object and nothing after it.
  bool Run();

  const char* error() const { return error_; }
  const char* error_position() const { return error_position_; }
  bool too_deep() const { return too_deep_; }

 private:
  bool Fail(const char* position, const char* error) {
    error_position_ = position;
    error_ = error;
    return false;
  }

  // NUL, which is nowhere allowed outside of strings or in them, stands for the end.
  char Peek() const { return p_ < end_ ? *p_ : '\0'; }
  void SkipSpace() {
    while (p_ < end_ && IsSpace(*p_)) ++p_;
  }

  bool OpenLevel(bool is_object);
  void CloseLevel();
  bool ScanMemberName();
  bool ScanScalar();
  bool ScanString(bool* escaped);
  bool ScanEscape();
  bool ScanNumber();
  bool ScanWord(std::string_view word);

  const char* p_;
  const char* const end_;
  const int max_depth_;
  absl::InlinedVector<bool, 64> levels_;  // what is open, outermost first; true: an object
  JsonKeys keys_;
  const char* error_ = nullptr;
  const char* error_position_ = nullptr;
  bool too_deep_ = false;
};

bool JsonWalk::Run() {
  if (Peek() != '{') return Fail(p_, "expected an object, which begins with '{'");
  enum class Expect { kValue, kMember, kSeparator } expect = Expect::kValue;
  for (;;) {
    switch (expect) {
      case Expect::kMember:
        if (!ScanMemberName()) return false;
        [[fallthrough]];
      case Expect::kValue: {
        SkipSpace();
        const char first = Peek();
        expect = Expect::kSeparator;
        if (first != '{' && first != '[') {
          if (!ScanScalar()) return false;
          break;
        }
        const bool is_object = first == '{';
        if (!OpenLevel(is_object)) return false;
        SkipSpace();
        if (Peek() == (is_object ? '}' : ']')) {
          ++p_;
          CloseLevel();
        } else {
          expect = is_object ? Expect::kMember : Expect::kValue;
        }
        break;
      }
      case Expect::kSeparator: {
        SkipSpace();
        if (levels_.empty()) return p_ == end_ || Fail(p_, "text after the object");
        const bool is_object = levels_.back();
        const char next = Peek();
        if (next == ',') {
          ++p_;
          expect = is_object ? Expect::kMember : Expect::kValue;
        } else if (next == (is_object ? '}' : ']')) {
          ++p_;
          CloseLevel();
        } else if (p_ == end_) {
          return Fail(p_, "the text ends inside an object or array");
        } else {
          return Fail(p_, is_object ? "expected ',' or '}' after a member"
                                    : "expected ',' or ']' after an element");
        }
        break;
      }
    }
  }
}

bool JsonWalk::OpenLevel(bool is_object) {
  if (levels_.size() >= static_cast<size_t>(max_depth_)) {
    too_deep_ = true;
    return Fail(p_, "nested too deep");
  }
  ++p_;
  levels_.push_back(is_object);
  if (is_object) keys_.OpenObject();
  return true;
}

void JsonWalk::CloseLevel() {
  if (levels_.back()) keys_.CloseObject();
  levels_.pop_back();
}

bool JsonWalk::ScanMemberName() {
  SkipSpace();
  const char* const start = p_;
  if (Peek() != '"') return Fail(p_, "expected a key in quotation marks");
  bool escaped = false;
  if (!ScanString(&escaped)) return false;
  const std::string_view raw(start + 1, static_cast<size_t>(p_ - start - 2));
  if (!keys_.Add(raw, escaped)) return Fail(start, "a key that this object already has");
  SkipSpace();
  if (Peek() != ':') return Fail(p_, "expected ':' after a key");
  ++p_;
  return true;
}

bool JsonWalk::ScanScalar() {
  bool escaped = false;
  switch (Peek()) {
    case '"':
      return ScanString(&escaped);
    case 't':
      return ScanWord("true");
    case 'f':
      return ScanWord("false");
    case 'n':
      return ScanWord("null");
    default:
      return ScanNumber();
  }
}

bool JsonWalk::ScanString(bool* escaped) {
  const char* p = p_ + 1;
  for (;;) {
    if constexpr (std::endian::native == std::endian::little) {
      while (end_ - p >= 8) {
        uint64_t word = 0;
        std::memcpy(&word, p, sizeof word);
        const uint64_t marks = MarkNotPlain(word);
        if (marks != 0) {
          p += std::countr_zero(marks) / 8;
          break;
        }
        p += 8;
      }
    }
    while (p < end_ && IsPlainStringByte(*p)) ++p;
    if (p == end_) return Fail(end_, "the text ends inside a string");
    if (*p == '"') {
      p_ = p + 1;
      return true;
    }
    if (*p == '\\') {
      *escaped = true;
      p_ = p;
      if (!ScanEscape()) return false;
      p = p_;
    } else if (static_cast<unsigned char>(*p) < 0x20) {
      return Fail(p, "a control character in a string, which must be escaped");
    } else {
      // Text in other scripts comes in runs, which the word loop above would only stumble over.
      do {
        const size_t size = Utf8SequenceSize(p, end_);
        if (size == 0) return Fail(p, "not UTF-8");
        p += size;
      } while (p < end_ && static_cast<unsigned char>(*p) >= 0x80);
    }
  }
}

bool JsonWalk::ScanEscape() {
  const char* const start = p_;
  if (end_ - p_ < 2) return Fail(end_, "the text ends inside a string");
  switch (p_[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      p_ += 2;
      return true;
    case 'u':
      break;
    default:
      return Fail(start, "an unknown escape in a string");
  }
  const int unit = ReadHex4(p_ + 2, end_);
  if (unit < 0) return Fail(start, "\\u without four hex digits");
  p_ += 6;
  if (IsLowSurrogate(unit)) return Fail(start, "an escape of half a surrogate pair");
  if (!IsHighSurrogate(unit)) return true;
  if (end_ - p_ < 6 || p_[0] != '\\' || p_[1] != 'u' || !IsLowSurrogate(ReadHex4(p_ + 2, end_))) {
    return Fail(start, "an escape of half a surrogate pair");
  }
  p_ += 6;
  return true;
}

bool JsonWalk::ScanNumber() {
  const char* const start = p_;
  if (Peek() == '-') ++p_;
  if (!IsDigit(Peek())) {
    if (start == end_) return Fail(start, "the text ends where a value is expected");
    return Fail(start, p_ == start ? "expected a value" : "a number without digits");
  }
  if (*p_++ == '0') {
    if (IsDigit(Peek())) return Fail(start, "a number with a leading zero");
  } else {
    while (IsDigit(Peek())) ++p_;
  }
  if (Peek() == '.') {
    ++p_;
    if (!IsDigit(Peek())) return Fail(start, "a number without digits after its point");
    while (IsDigit(Peek())) ++p_;
  }
  if (Peek() == 'e' || Peek() == 'E') {
    ++p_;
    if (Peek() == '+' || Peek() == '-') ++p_;
    if (!IsDigit(Peek())) return Fail(start, "a number without digits in its exponent");
    while (IsDigit(Peek())) ++p_;
  }
  return true;
}

bool JsonWalk::ScanWord(std::string_view word) {
  if (std::string_view(p_, static_cast<size_t>(end_ - p_)).substr(0, word.size()) != word) {
    return Fail(p_, "expected a value");
  }
  p_ += word.size();
  return true;
}

absl::Status NotJson(size_t offset, const char* error) {
  return absl::InvalidArgumentError(
      absl::StrCat("is not a valid JSON object: byte ", offset, ": ", error));
}

}  // namespace

absl::StatusOr<std::string_view> CheckJsonObject(std::string_view text, const JsonLimits& limits) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  size_t start = 0;
  while (start < text.size() && IsSpace(text[start])) ++start;
  if (start == text.size()) return absl::InvalidArgumentError("is empty, not a JSON object");
  size_t end = text.size();
  while (IsSpace(text[end - 1])) --end;
  const std::string_view object = text.substr(start, end - start);
  if (object.size() > limits.max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "is ", object.size(), " bytes long, over the limit of ", limits.max_bytes, " bytes"));
  }
  if (object.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    return NotJson(start, "a byte order mark");
  }
  JsonWalk walk(object, limits.max_depth);
  if (walk.Run()) return object;
  const size_t offset = static_cast<size_t>(walk.error_position() - text.data());
  if (walk.too_deep()) {
    return absl::InvalidArgumentError(absl::StrCat("is nested deeper than the limit of ",
                                                   limits.max_depth, " levels: byte ", offset));
  }
  return NotJson(offset, walk.error());
}

}  // namespace postrider::envelope
