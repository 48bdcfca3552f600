#include "tools/postrider/received.h"

#include <gtest/gtest.h>

#include <string>

#include "server/signing/signature.h"

namespace postrider::cli {
namespace {

constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr int64_t kNow = 1700000000;
constexpr char kBody[] = R"({"id":"evt_1","type":"message.received","data":{}})";

std::vector<signing::VerifyingKey> Secrets() { return {*signing::ParseHmacSecret(kSecret)}; }

HttpRequest SignedRequest() {
  HttpRequest request{.method = "POST", .body = kBody};
  request.headers = {{"webhook-id", "evt_1"},
                     {"webhook-timestamp", std::to_string(kNow)},
                     {"webhook-signature",
                      signing::SignV1(*signing::ParseHmacSecret(kSecret), "evt_1", kNow, kBody)},
                     {"postrider-delivery-id", "dlv_1"},
                     {"postrider-attempt", "2"}};
  return request;
}

Received JudgeNow(const HttpRequest& request, const std::vector<signing::VerifyingKey>& secrets) {
  return Judge(request, secrets, 202, absl::FromUnixSeconds(kNow));
}

TEST(JudgeTest, VerifiesASignedRequestAndReadsWhatItIs) {
  const Received received = JudgeNow(SignedRequest(), Secrets());
  EXPECT_EQ(received.verdict, Verdict::kVerified);
  EXPECT_EQ(received.answer, 202);
  EXPECT_EQ(RenderReceived(received, false, false),
            "2023-11-14T22:13:20.000Z  message.received  evt_1  delivery dlv_1  attempt 2  50 "
            "bytes  answered 202  verified\n");
}

TEST(JudgeTest, VerifiesEd25519WithThePublicKey) {
  const auto key = signing::Ed25519PrivateKey::Generate();
  HttpRequest request = SignedRequest();
  request.headers[2].second = signing::Signer::Create({key})->Header("evt_1", kNow, kBody);
  EXPECT_EQ(JudgeNow(request, {key.public_key()}).verdict, Verdict::kVerified);
  EXPECT_EQ(JudgeNow(request, Secrets()).verdict, Verdict::kRefused);
}

TEST(JudgeTest, RefusesAChangedBody) {
  HttpRequest request = SignedRequest();
  request.body += " ";
  const Received received = JudgeNow(request, Secrets());
  EXPECT_EQ(received.verdict, Verdict::kRefused);
  EXPECT_EQ(received.answer, 400);
  EXPECT_NE(received.reason, "");
}

TEST(JudgeTest, RefusesAnOldRequest) {
  const Received received =
      Judge(SignedRequest(), Secrets(), 200, absl::FromUnixSeconds(kNow + 301));
  EXPECT_EQ(received.verdict, Verdict::kRefused);
  EXPECT_EQ(received.answer, 400);
}

TEST(JudgeTest, AcceptsAnyPostWithoutASecretAndSaysSo) {
  const Received received = JudgeNow({.method = "POST", .body = "not JSON"}, {});
  EXPECT_EQ(received.verdict, Verdict::kUnverified);
  EXPECT_EQ(received.answer, 202);
  EXPECT_EQ(RenderReceived(received, false, true),
            "2023-11-14T22:13:20.000Z  -  -  delivery -  attempt -  8 bytes  answered 202  not "
            "verified\nnot JSON\n");
}

TEST(JudgeTest, TakesNothingButPost) {
  const Received received = JudgeNow({.method = "GET"}, {});
  EXPECT_EQ(received.verdict, Verdict::kRefused);
  EXPECT_EQ(received.answer, 405);
}

TEST(RenderReceivedTest, CannotSteerATerminal) {
  HttpRequest request{.method = "POST", .body = "\x1b[2J"};
  request.headers = {{"postrider-delivery-id", "\x9b evil"}};
  EXPECT_EQ(RenderReceived(JudgeNow(request, {}), false, true),
            "2023-11-14T22:13:20.000Z  -  -  delivery \\x9b evil  attempt -  4 bytes  answered 202 "
            " not verified\n\\x1b[2J\n");
}

TEST(RenderReceivedTest, WritesOneJsonObjectALine) {
  EXPECT_EQ(RenderReceived(JudgeNow(SignedRequest(), Secrets()), true, false),
            R"({"time": "2023-11-14T22:13:20.000Z", "verdict": "VERIFIED", "answer": 202, )"
            R"("body_bytes": 50, "reason": "", "event_type": "message.received", )"
            R"("event_id": "evt_1", "delivery_id": "dlv_1", "attempt": "2"})"
            "\n");
  EXPECT_EQ(
      RenderReceived(JudgeRefused({413, "too \"large\""}, absl::FromUnixSeconds(kNow)), true, true),
      R"({"time": "2023-11-14T22:13:20.000Z", "verdict": "REFUSED", "answer": 413, )"
      R"("body_bytes": 0, "reason": "too \"large\"", "event_type": "", "event_id": "", )"
      R"("delivery_id": "", "attempt": "", "body": ""})"
      "\n");
}

}  // namespace
}  // namespace postrider::cli
