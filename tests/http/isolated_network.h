#ifndef POSTRIDER_TESTS_HTTP_ISOLATED_NETWORK_H_
#define POSTRIDER_TESTS_HTTP_ISOLATED_NETWORK_H_

#include <string>
#include <vector>

namespace postrider::http {

// Moves this process into a network of its own that holds nothing but loopback, with these
// addresses on it, and with a name server at 127.0.0.1 as its only source of names. To be called
// before any other thread is started. Returns "" or why it cannot be had: it takes the rights of
// root and iproute2. A failure leaves the process as it was or in an empty network.
std::string EnterIsolatedNetwork(const std::vector<std::string>& addresses);

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_ISOLATED_NETWORK_H_
