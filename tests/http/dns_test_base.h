#ifndef POSTRIDER_TESTS_HTTP_DNS_TEST_BASE_H_
#define POSTRIDER_TESTS_HTTP_DNS_TEST_BASE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/http/loop_harness.h"
#include "tests/http/name_server.h"
#include "tests/http/scripted_receiver.h"

namespace postrider::http {

// The public addresses of the test's network: receivers listen there.
inline constexpr char kPublic[] = "8.8.4.4";
inline constexpr char kPublic2[] = "8.8.4.5";
inline constexpr char kPublicV6[] = "2a00:1450::53";

// Options of a server as it comes, but for http: public addresses only.
LoopOptions PublicOptions();

// Names that are resolved by a name server of the test's own, in a network of its own. On one port,
// receivers listen on the public addresses, and others, which nobody must reach, on all kinds of
// internal ones.
class DnsTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  int port() const { return receivers_[0]->port(); }
  std::string Url(const std::string& name) const;
  Request RequestTo(const std::string& name) const;
  // Of the receivers on public addresses.
  int requests() const;
  // Of those on internal ones.
  int denied_connections() const;

  std::unique_ptr<NameServer> names_;

 private:
  std::vector<std::unique_ptr<ScriptedReceiver>> receivers_;
  std::vector<std::unique_ptr<ScriptedReceiver>> denied_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_DNS_TEST_BASE_H_
