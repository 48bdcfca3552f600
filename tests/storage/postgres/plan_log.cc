#include "tests/storage/postgres/plan_log.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/support/test_database.h"

namespace postrider {
namespace {

std::string LogFrom(std::streamoff position) {
  std::ifstream log(testing::TestCluster::OfProgram().log_path(), std::ios::binary);
  log.seekg(position);
  return std::string(std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>());
}

std::streamoff LogSize() {
  std::ifstream log(testing::TestCluster::OfProgram().log_path(), std::ios::binary | std::ios::ate);
  return log.tellg();
}

int64_t Number(const std::string& text) {
  int64_t number = 0;
  EXPECT_TRUE(absl::SimpleAtoi(text, &number)) << text;
  return number;
}

ExecutedPlan Read(const std::string& entry) {
  static const std::regex kScan("(\\w+ )?(Seq|Index|Index Only|Bitmap Heap) Scan .*");
  static const std::regex kTable("Seq Scan on (\\w+)");
  static const std::regex kActual("\\(actual rows=(\\d+) loops=(\\d+)\\)");
  static const std::regex kRemoved("Rows Removed by (?:Filter|Index Recheck): (\\d+)");
  static const std::regex kBlocks("Buffers: shared(?: hit=(\\d+))?(?: read=(\\d+))?");
  ExecutedPlan plan;
  plan.text = entry;
  // Of the scan whose lines are being read.
  int64_t loops = 0;
  int64_t rows = 0;
  std::string table;
  const auto end_scan = [&] {
    plan.rows = std::max(plan.rows, rows);
    if (rows > 0 && !table.empty()) plan.whole_tables.push_back(table);
    rows = loops = 0;
    table.clear();
  };
  for (const absl::string_view view : absl::StrSplit(entry, '\n')) {
    const std::string line(view);
    std::smatch match;
    if (std::regex_search(line, match, kActual)) {
      end_scan();
      if (!std::regex_search(line, kScan)) continue;
      std::smatch name;
      if (std::regex_search(line, name, kTable)) table = name[1];
      loops = Number(match[2]);
      rows = Number(match[1]) * loops;
    } else if (std::regex_search(line, match, kRemoved)) {
      rows += Number(match[1]) * loops;
    } else if (std::regex_search(line, match, kBlocks)) {
      const int64_t blocks =
          (match[1].matched ? Number(match[1]) : 0) + (match[2].matched ? Number(match[2]) : 0);
      plan.blocks = std::max(plan.blocks, blocks);
    }
  }
  end_scan();
  return plan;
}

}  // namespace

std::string Explained(const std::string& conninfo) {
  return absl::StrCat(conninfo,
                      " options='-c session_preload_libraries=auto_explain"
                      " -c auto_explain.log_min_duration=0 -c auto_explain.log_analyze=on"
                      " -c auto_explain.log_buffers=on -c auto_explain.log_timing=off'");
}

std::vector<ExecutedPlan> PlansOf(absl::FunctionRef<void()> call) {
  static const std::regex kBegin("LOG:  duration: ([0-9.]+) ms  plan:");
  const std::streamoff before = LogSize();
  call();
  const std::string log = LogFrom(before);
  std::vector<ExecutedPlan> plans;
  auto entry = std::sregex_iterator(log.begin(), log.end(), kBegin);
  while (entry != std::sregex_iterator()) {
    const auto begin = static_cast<size_t>(entry->position());
    const std::string milliseconds = (*entry)[1];
    ++entry;
    const size_t end =
        entry == std::sregex_iterator() ? log.size() : static_cast<size_t>(entry->position());
    plans.push_back(Read(log.substr(begin, end - begin)));
    EXPECT_TRUE(absl::SimpleAtod(milliseconds, &plans.back().milliseconds));
  }
  return plans;
}

}  // namespace postrider
