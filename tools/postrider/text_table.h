// Aligned text for people.

#ifndef POSTRIDER_TOOLS_POSTRIDER_TEXT_TABLE_H_
#define POSTRIDER_TOOLS_POSTRIDER_TEXT_TABLE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace postrider::cli {

// `text` as one line that is safe on a terminal: control characters and bytes that are not UTF-8
// become \xNN. Servers and receivers put what they like into headers and errors. Thread-safe.
std::string Printable(absl::string_view text);

// The same, but line ends and tabs stay. Thread-safe.
std::string PrintableLines(absl::string_view text);

// Rows of cells in columns as wide as their widest cell, two spaces between, nothing behind the
// last one. Widths count code points. Thread-compatible.
class TextTable {
 public:
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_TEXT_TABLE_H_
