#include "tools/postrider/text_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/envelope/json_text.h"

namespace postrider::cli {
namespace {

constexpr absl::string_view kColumnGap = "  ";

size_t Width(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string Escape(absl::string_view text, bool keep_lines) {
  std::string result;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const auto byte = static_cast<unsigned char>(*p);
    const size_t size = envelope::Utf8SequenceSize(p, end);
    const bool kept_control = keep_lines && (byte == '\n' || byte == '\t');
    // U+0080 to U+009F are controls too.
    const bool c1 = size == 2 && byte == 0xc2 && static_cast<unsigned char>(p[1]) < 0xa0;
    if (!kept_control && (size == 0 || byte < 0x20 || byte == 0x7f || c1)) {
      for (size_t i = 0; i < std::max<size_t>(size, 1); ++i) {
        absl::StrAppend(&result, "\\x",
                        absl::Hex(static_cast<unsigned char>(p[i]), absl::kZeroPad2));
      }
    } else {
      result.append(p, size);
    }
    p += std::max<size_t>(size, 1);
  }
  return result;
}

}  // namespace

std::string Printable(absl::string_view text) { return Escape(text, /*keep_lines=*/false); }
std::string PrintableLines(absl::string_view text) { return Escape(text, /*keep_lines=*/true); }

std::string TextTable::Render() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) absl::StrAppend(&line, kColumnGap);
      absl::StrAppend(&line, row[i], std::string(widths[i] - Width(row[i]), ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace postrider::cli
