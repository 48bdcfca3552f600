// `postrider verify` with the published vectors of Standard Webhooks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/tools/tool_process.h"

namespace postrider::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kBody[] = "{\"test\": 2432232314}";

ToolResult Verify(const std::string& body, std::vector<std::string> more) {
  std::vector<std::string> arguments = {
      "verify", "--id=msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp=1614265330",
      "--signature=v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunTool(arguments, body);
}

TEST(VerifyTest, FindsAGoodSignatureValid) {
  const ToolResult result = Verify(kBody, {"--secret", kSecret, "--no-tolerance"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(result.output, "valid\n");
}

TEST(VerifyTest, TakesTheSecretFromTheEnvironment) {
  const ToolResult result =
      RunTool({"verify", "--id=msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "--timestamp=1649367553",
               "--signature=v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=", "--no-tolerance"},
              "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
              {{"POSTRIDER_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}});
  EXPECT_EQ(result.exit_code, 0) << result.error;
}

TEST(VerifyTest, SaysWhyAChangedBodyIsNotValid) {
  const ToolResult result =
      Verify(std::string(kBody) + "\n", {"--secret", kSecret, "--no-tolerance"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "");
  EXPECT_THAT(result.error, HasSubstr("postrider: not valid: no signature matches"));
}

TEST(VerifyTest, ChecksEd25519WithThePublicKey) {
  // The reference library's vector; the public key belongs to its seed, as `openssl pkey` says.
  const std::vector<std::string> arguments = {
      "verify",
      "--id=msg_p5jXN8AQM9LWM0D4loKWxJek",
      "--timestamp=1614265330",
      "--signature=v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5"
      "WqyeFiL8Ag==",
      "--no-tolerance",
      "--secret=whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="};
  EXPECT_EQ(RunTool(arguments, kBody).output, "valid\n");
  EXPECT_EQ(RunTool(arguments, "{}").exit_code, 1);
}

TEST(VerifyTest, RefusesAnOldTimestampUnlessItIsAllowed) {
  const ToolResult result = Verify(kBody, {"--secret", kSecret});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.error, HasSubstr("more than the 5m allowed"));
  EXPECT_EQ(Verify(kBody, {"--secret", kSecret, "--tolerance=30000d"}).exit_code, 0);
}

TEST(VerifyTest, AnswersInJsonIfAsked) {
  EXPECT_EQ(Verify(kBody, {"--secret", kSecret, "--no-tolerance", "--output=json"}).output,
            "{\"valid\": true}\n");
  EXPECT_THAT(Verify("", {"--secret", kSecret, "--no-tolerance", "--output=json"}).output,
              HasSubstr("{\"valid\": false, \"reason\": \"no signature matches"));
}

TEST(VerifyTest, Ends2ForASecretThatIsNoneWithoutShowingIt) {
  const ToolResult result = Verify(kBody, {"--secret=whsec_shhh"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.error, Not(HasSubstr("shhh")));
}

TEST(VerifyTest, Ends2WithoutItsInputs) {
  EXPECT_EQ(Verify(kBody, {}).exit_code, 2);
  EXPECT_EQ(Verify(kBody, {"--secret", kSecret, "--body-file=/nonexistent"}).exit_code, 2);
  EXPECT_EQ(Verify(kBody, {"--secret", kSecret, "--tolerance=soon"}).exit_code, 2);
}

}  // namespace
}  // namespace postrider::cli
