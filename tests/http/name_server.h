#ifndef POSTRIDER_TESTS_HTTP_NAME_SERVER_H_
#define POSTRIDER_TESTS_HTTP_NAME_SERVER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace postrider::http {

// What a name server says about one name.
struct Zone {
  // IPv4 and IPv6 addresses. Several sets are given out one after the other, one a lookup; the last
  // one stays.
  std::vector<std::vector<std::string>> answers;
  // Names in between: the name is the first, which is the second, and so on.
  std::vector<std::string> chain;
  uint32_t ttl = 60;
  // 0, or the error of every answer: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
  uint8_t error = 0;
  bool silent = false;
  bool garbage = false;
};

// A name server on 127.0.0.1, port 53 (UDP), for the test's own network. Unknown names are
// NXDOMAIN. Thread-safe.
class NameServer {
 public:
  NameServer();
  ~NameServer();

  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  void Set(const std::string& name, Zone zone);
  // All names that end so and have no zone of their own.
  void SetSuffix(const std::string& suffix, Zone zone);

  // Questions about IPv4 addresses of the name, which is the number of lookups.
  int lookups(const std::string& name) const;

 private:
  void Serve();
  std::string Answer(std::string_view query) ABSL_LOCKS_EXCLUDED(mutex_);

  int fd_;
  int wake_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Zone> zones_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Zone> suffixes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> lookups_[2] ABSL_GUARDED_BY(mutex_);  // by family: IPv4, IPv6
  std::thread thread_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_NAME_SERVER_H_
