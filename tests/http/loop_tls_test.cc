// Certificates and protocol versions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "tests/http/loop_harness.h"
#include "tests/http/tls_receiver.h"

namespace postrider::http {
namespace {

using ::testing::HasSubstr;

class LoopTlsTest : public testing::Test {
 protected:
  LoopOptions Trusting() const {
    LoopOptions options = LocalOptions();
    options.ca_file = authority_.certificate_file();
    return options;
  }

  const TestAuthority authority_;
};

TEST_F(LoopTlsTest, ATrustedCertificateForTheNameIsGood) {
  TlsReceiver receiver(authority_, {});
  LoopHarness harness(Trusting());
  const Result first = harness.Post(receiver.url("localhost"));
  EXPECT_EQ(first.error, TransferError::kNone) << first.error_text;
  EXPECT_EQ(first.status, 200);
  EXPECT_GT(first.phases.tls, absl::ZeroDuration());
  EXPECT_LE(first.phases.dns + first.phases.connect + first.phases.tls + first.phases.first_byte,
            first.duration);
  const Result second = harness.Post(receiver.url("localhost"));
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.phases.tls, absl::ZeroDuration());
  EXPECT_EQ(second.phases.connect, absl::ZeroDuration());
  EXPECT_EQ(second.phases.dns, absl::ZeroDuration());
  EXPECT_EQ(receiver.connections(), 1);
  EXPECT_EQ(receiver.requests(), 2);
}

TEST_F(LoopTlsTest, AnUntrustedCertificateIsRefused) {
  TlsReceiver receiver(authority_, {});
  LoopHarness harness;
  const Result result = harness.Post(receiver.url("localhost"));
  EXPECT_EQ(result.error, TransferError::kTls);
  EXPECT_EQ(result.send_count, 0);
  EXPECT_NE(result.error_text.find("certificate"), std::string::npos) << result.error_text;
  EXPECT_EQ(receiver.requests(), 0);
}

TEST_F(LoopTlsTest, ACertificateForAnotherNameIsRefused) {
  TlsReceiver receiver(authority_, {.certificate_host = "other.example"});
  LoopHarness harness(Trusting());
  for (const char* host : {"localhost", "127.0.0.1"}) {
    EXPECT_EQ(harness.Post(receiver.url(host)).error, TransferError::kTls);
  }
  EXPECT_EQ(receiver.requests(), 0);
}

// The text goes into a database that takes no broken characters.
TEST_F(LoopTlsTest, WhatACertificateSaysIsShownAsPrintableText) {
  std::string name;
  for (int i = 0; i < 200; ++i) name += "\xc3\xbc";
  TlsReceiver receiver(authority_, {.certificate_host = "", .common_name = name});
  LoopHarness harness(Trusting());
  const Result result = harness.Post(receiver.url());
  EXPECT_EQ(result.error, TransferError::kTls);
  EXPECT_THAT(result.error_text, HasSubstr("name '????"));
  EXPECT_TRUE(std::all_of(result.error_text.begin(), result.error_text.end(), [](unsigned char c) {
    return absl::ascii_isprint(c);
  })) << result.error_text;
}

TEST_F(LoopTlsTest, AnExpiredCertificateIsRefused) {
  TlsReceiver receiver(authority_, {.expired = true});
  LoopHarness harness(Trusting());
  const Result result = harness.Post(receiver.url("localhost"));
  EXPECT_EQ(result.error, TransferError::kTls);
  EXPECT_NE(result.error_text.find("expired"), std::string::npos) << result.error_text;
}

TEST_F(LoopTlsTest, TlsBelow12IsRefused) {
  TlsReceiver old(authority_, {.max_tls_version = TLS1_1_VERSION});
  LoopHarness old_harness(Trusting());
  EXPECT_EQ(old_harness.Post(old.url("localhost")).error, TransferError::kTls);
  TlsReceiver good(authority_, {.max_tls_version = TLS1_2_VERSION});
  LoopHarness good_harness(Trusting());
  EXPECT_EQ(good_harness.Post(good.url("localhost")).status, 200);
}

TEST_F(LoopTlsTest, ACertificateThatNobodyIssuedIsRefused) {
  TlsReceiver receiver(authority_, {.self_signed = true});
  LoopHarness harness(Trusting());
  EXPECT_EQ(harness.Post(receiver.url()).error, TransferError::kTls);
  EXPECT_EQ(receiver.requests(), 0);
}

TEST_F(LoopTlsTest, Http11IsTheOnlyProtocolOffered) {
  TlsReceiver receiver(authority_, {});
  LoopHarness harness(Trusting());
  EXPECT_EQ(harness.Post(receiver.url()).status, 200);
  EXPECT_EQ(receiver.offered_protocols(), "\x08http/1.1");
  TlsReceiver modern(authority_, {.only_protocol = "h2"});
  const Result result = harness.Post(modern.url());
  EXPECT_EQ(result.error, TransferError::kTls) << result.error_text;
  EXPECT_EQ(result.send_count, 0);
}

TEST_F(LoopTlsTest, AReceiverWithoutTlsIsATlsError) {
  ScriptedReceiver receiver([](ScriptedReceiver::Connection& c) {
    c.Send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    c.WaitForClose();
  });
  LoopHarness harness;
  const Result result = harness.Post("https://127.0.0.1:" + std::to_string(receiver.port()) + "/");
  EXPECT_EQ(result.error, TransferError::kTls);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.send_count, 0);
}

TEST_F(LoopTlsTest, ASilentHandshakeEndsAtTheConnectTimeout) {
  ScriptedReceiver receiver([](ScriptedReceiver::Connection& c) { c.WaitForClose(); });
  LoopHarness harness;
  Request request = LocalRequest("https://127.0.0.1:" + std::to_string(receiver.port()) + "/");
  request.connect_timeout = absl::Milliseconds(100);
  const Result result = harness.Post(request);
  EXPECT_EQ(result.error, TransferError::kTimeout);
  EXPECT_EQ(result.error_text, "connecting or the TLS handshake took too long");
  EXPECT_EQ(result.send_count, 0);
}

}  // namespace
}  // namespace postrider::http
