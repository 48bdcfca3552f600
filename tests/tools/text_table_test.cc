#include "tools/postrider/text_table.h"

#include <gtest/gtest.h>

namespace postrider::cli {
namespace {

TEST(TextTableTest, AlignsColumnsByCodePointsAndEndsLinesWithoutSpaces) {
  TextTable table;
  table.AddRow({"ID", "NAME", "X"});
  table.AddRow({"1", "Zo\xc3\xab", "y"});
  table.AddRow({"22", "Al", ""});
  EXPECT_EQ(table.Render(),
            "ID  NAME  X\n"
            "1   Zo\xc3\xab   y\n"
            "22  Al\n");
}

TEST(TextTableTest, IsEmptyWithoutRows) { EXPECT_EQ(TextTable().Render(), ""); }

TEST(PrintableTest, EscapesWhatCouldSteerATerminal) {
  EXPECT_EQ(Printable("a\x1b[31mb\nc\x7f"), "a\\x1b[31mb\\x0ac\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(Printable("\xff caf\xc3\xa9"), "\\xff caf\xc3\xa9");
  EXPECT_EQ(PrintableLines("a\n\tb\r"), "a\n\tb\\x0d");
}

}  // namespace
}  // namespace postrider::cli
