#include "tests/bench/usage.h"

#include <dirent.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace postrider::bench {
namespace {

struct Stat {
  pid_t parent = 0;
  double own = 0;             // CPU seconds
  double ended_children = 0;  // CPU seconds
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::optional<Stat> ReadStat(pid_t process) {
  const std::string text = ReadAll(absl::StrCat("/proc/", process, "/stat"));
  // The name, in brackets, can hold spaces and brackets.
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields =
      absl::StrSplit(absl::string_view(text).substr(end + 2), ' ');
  constexpr size_t kParent = 1, kUser = 11, kSystem = 12, kChildUser = 13, kChildSystem = 14;
  if (fields.size() <= kChildSystem) return std::nullopt;
  const auto number = [&](size_t field) {
    int64_t value = 0;
    return absl::SimpleAtoi(fields[field], &value) ? static_cast<double>(value) : 0;
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return Stat{static_cast<pid_t>(number(kParent)), (number(kUser) + number(kSystem)) / ticks,
              (number(kChildUser) + number(kChildSystem)) / ticks};
}

// The value of a line `name: value` of a file of /proc, without the space around it.
std::string LineOf(const std::string& path, absl::string_view name) {
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(ReadAll(path), '\n'))) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, name)) continue;
    const size_t colon = rest.find(':');
    if (colon != absl::string_view::npos) {
      return std::string(absl::StripAsciiWhitespace(rest.substr(colon + 1)));
    }
  }
  return "";
}

}  // namespace

double CpuSecondsOf(pid_t process) {
  const std::optional<Stat> stat = ReadStat(process);
  return stat ? stat->own : 0;
}

double CpuSecondsOfFamily(pid_t process) {
  const std::optional<Stat> head = ReadStat(process);
  if (!head) return 0;
  double sum = head->own + head->ended_children;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return sum;
  while (const dirent* entry = ::readdir(proc)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const std::optional<Stat> stat = ReadStat(pid);
    if (stat && stat->parent == process) sum += stat->own;
  }
  ::closedir(proc);
  return sum;
}

int64_t ResidentBytesOf(pid_t process) {
  const std::vector<std::string> fields =
      absl::StrSplit(ReadAll(absl::StrCat("/proc/", process, "/statm")), ' ');
  int64_t pages = 0;
  if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &pages)) return 0;
  return pages * ::sysconf(_SC_PAGESIZE);
}

std::string DescribeMachine() {
  utsname system{};
  ::uname(&system);
  double load[1] = {0};
  ::getloadavg(load, 1);
  int64_t kilobytes = 0;
  const std::string memory = LineOf("/proc/meminfo", "MemTotal");
  (void)absl::SimpleAtoi(absl::StripSuffix(memory, " kB"), &kilobytes);
  return absl::StrFormat("%s, %d cores, %d GiB, Linux %s, load %.1f before the start",
                         LineOf("/proc/cpuinfo", "model name"), ::get_nprocs(),
                         (kilobytes + (1 << 19)) >> 20, system.release, load[0]);
}

}  // namespace postrider::bench
