#ifndef POSTRIDER_TESTS_CHAOS_PROXIED_TEST_H_
#define POSTRIDER_TESTS_CHAOS_PROXIED_TEST_H_

#include <string>
#include <vector>

#include "tests/support/database_proxy.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {

// The fixture for tests whose servers reach their database through a network of the test's own.
class ProxiedTest : public OwnServersTest {
 protected:
  ServerProcess* StartProxied(std::vector<std::string> flags = {}) {
    ServerProcess::Options options;
    options.database = proxy_.conninfo();
    options.flags = std::move(flags);
    return StartServerWith(std::move(options));
  }

  DatabaseProxy proxy_{database().conninfo()};
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_CHAOS_PROXIED_TEST_H_
