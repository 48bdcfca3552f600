#include "server/observe/log.h"

#include <stdio.h>
#include <time.h>

#include <atomic>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace postrider::observe {
namespace {

std::atomic<LogFormat> log_format{LogFormat::kJson};

const char* SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "INFO";
    case Severity::kWarning:
      return "WARNING";
    case Severity::kError:
      return "ERROR";
  }
  return "";
}

void AppendQuoted(std::string_view text, std::string& out) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      snprintf(escaped, sizeof(escaped), "\\u%04x", c);
      out.append(escaped);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace

void SetLogFormat(LogFormat format) { log_format = format; }

void Log(Severity severity, std::string_view message, std::initializer_list<LogField> fields) {
  // The wall clock is for the reader alone.
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  std::string line;
  if (log_format == LogFormat::kJson) {
    line.append("{\"time\":\"").append(time).append("\",\"severity\":\"");
    line.append(SeverityName(severity)).append("\",\"message\":");
    AppendQuoted(message, line);
    for (const auto& [name, value] : fields) {
      line.push_back(',');
      AppendQuoted(name, line);
      line.push_back(':');
      AppendQuoted(value, line);
    }
    line.append("}\n");
  } else {
    line.append(time).append(" ").append(SeverityName(severity)).append(" ").append(message);
    for (const auto& [name, value] : fields) {
      line.append(" ").append(name).append("=");
      AppendQuoted(value, line);
    }
    line.push_back('\n');
  }
  // One write a line: lines of different threads do not mix.
  fwrite(line.data(), 1, line.size(), stderr);
  fflush(stderr);
}

bool RateGate::Open() {
  constexpr long long kNanoseconds = 10'000'000'000;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long long at = now.tv_sec * 1'000'000'000LL + now.tv_nsec;
  std::atomic_ref<long long> last(last_);
  long long before = last.load();
  if (before != 0 && at - before < kNanoseconds) return false;
  return last.compare_exchange_strong(before, at);
}

}  // namespace postrider::observe
