// The server's own log: one line an event, on standard error, as JSON or as text. Never a secret,
// a key, a header value or a payload; URLs without their query. Thread-safe.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace postrider::observe {

enum class LogFormat { kJson, kText };
enum class Severity { kInfo, kWarning, kError };

using LogField = std::pair<std::string_view, std::string>;

// Once, before threads start.
void SetLogFormat(LogFormat format);

// `message` is a fixed sentence; what varies is in the fields.
void Log(Severity severity, std::string_view message, std::initializer_list<LogField> fields = {});

// The same, at most once every ten seconds a call site and process: for what can repeat quickly.
#define POSTRIDER_LOG_RARELY(severity, message, ...)                                          \
  do {                                                                                        \
    static ::postrider::observe::RateGate postrider_log_gate;                                 \
    if (postrider_log_gate.Open()) ::postrider::observe::Log(severity, message, __VA_ARGS__); \
  } while (false)

class RateGate {
 public:
  bool Open();

 private:
  // Monotonic nanoseconds of the last line.
  long long last_ = 0;
};

}  // namespace postrider::observe
