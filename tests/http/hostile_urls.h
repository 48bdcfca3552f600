#ifndef POSTRIDER_TESTS_HTTP_HOSTILE_URLS_H_
#define POSTRIDER_TESTS_HTTP_HOSTILE_URLS_H_

#include <string>
#include <vector>

namespace postrider::http {

// URLs that no server of usual settings may take, by kind.
struct HostileUrl {
  const char* kind;
  std::string url;
};

std::vector<HostileUrl> HostileUrls();

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_HOSTILE_URLS_H_
