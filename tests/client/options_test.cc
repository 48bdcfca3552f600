#include "client/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace postrider::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CheckOptionsTest, TakesHostsWithPortsAndUnixSockets) {
  for (const char* address :
       {"127.0.0.1:50051", "localhost:1", "events.example.com:65535", "[::1]:50051",
        "[fe80::1%25]:80", "unix:/run/postrider.sock", "unix:postrider.sock"}) {
    EXPECT_TRUE(CheckOptions({.address = address}).ok()) << address;
  }
}

TEST(CheckOptionsTest, RefusesOtherAddressesAndRepeatsThem) {
  for (const char* address : {"", "localhost", ":50051", "localhost:", "localhost:0",
                              "localhost:65536", "localhost:-1", "localhost: 80", "localhost:80x",
                              "::1:50051", "[]:1", "http://localhost:50051", "a b:1", "unix:"}) {
    const absl::Status status = CheckOptions({.address = address});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(status.message()), HasSubstr(address));
  }
  EXPECT_FALSE(CheckOptions({.address = "unix:" + std::string(108, 'a')}).ok());
}

TEST(CheckOptionsTest, RefusesAKeyThatNoHeaderCanHoldWithoutShowingIt) {
  for (const char* key : {"prk_secret\n", "prk secret", "prk_secret\xc3\xa9"}) {
    const absl::Status status = CheckOptions({.api_key = key});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  }
  EXPECT_FALSE(CheckOptions({.api_key = std::string(1025, 'k')}).ok());
}

TEST(CheckOptionsTest, FilesOfTlsMustBeReadableAndGoTogether) {
  EXPECT_TRUE(CheckOptions({.tls = {.enabled = true}}).ok());
  EXPECT_TRUE(CheckOptions({.tls = {.enabled = true, .ca_file = "/dev/null"}}).ok());
  const std::string kNone = "/nonexistent/file";
  for (const TlsOptions& tls : {TlsOptions{.enabled = true, .ca_file = kNone},
                                TlsOptions{.enabled = true, .cert_file = "/dev/null"},
                                TlsOptions{.enabled = true, .key_file = "/dev/null"},
                                TlsOptions{.enabled = false, .ca_file = "/dev/null"}}) {
    EXPECT_EQ(CheckOptions({.tls = tls}).code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace postrider::client
