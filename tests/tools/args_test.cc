#include "tools/postrider/args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tools/postrider/commands.h"

namespace postrider::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArgsTest : public ::testing::Test {
 protected:
  absl::StatusOr<ParsedLine> Parse(const std::vector<std::string>& words) {
    return ParseLine(Commands(), GlobalFlags(), words, [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }

  std::string ErrorOf(const std::vector<std::string>& words) {
    return std::string(Parse(words).status().message());
  }

  std::map<std::string, std::string> environment_;
};

TEST_F(ArgsTest, TakesFlagsInBothFormsAnywhereAfterTheCommand) {
  const auto line = Parse({"endpoint", "update", "--event", "a.b", "ep_1", "--event=c.d",
                           "--description=--dashes", "--ordered", "--no-retries=false"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(FullName(*line->command), "endpoint update");
  EXPECT_EQ(line->args.argument, "ep_1");
  EXPECT_THAT(line->args.All("--event"), ElementsAre("a.b", "c.d"));
  EXPECT_EQ(line->args.Get("--description"), "--dashes");
  EXPECT_TRUE(line->args.IsOn("--ordered"));
  EXPECT_TRUE(line->args.Has("--no-retries"));
  EXPECT_FALSE(line->args.IsOn("--no-retries"));
}

TEST_F(ArgsTest, TakesGlobalFlagsBeforeTheCommandToo) {
  const auto line = Parse({"--address", "here:1", "endpoint", "list", "--output=json"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->args.Get("--address"), "here:1");
  EXPECT_EQ(line->args.Get("--output"), "json");
}

TEST_F(ArgsTest, LetsAFlagWinOverTheEnvironmentAndThatOverTheDefault) {
  EXPECT_EQ(Parse({"event", "list"})->args.Get("--address"), "127.0.0.1:50051");
  environment_["POSTRIDER_ADDRESS"] = "there:2";
  environment_["POSTRIDER_API_KEY"] = "prk_1";
  EXPECT_EQ(Parse({"event", "list"})->args.Get("--address"), "there:2");
  EXPECT_EQ(Parse({"event", "list"})->args.Get("--api-key"), "prk_1");
  EXPECT_EQ(Parse({"event", "list", "--address=here:1"})->args.Get("--address"), "here:1");
  environment_["POSTRIDER_ADDRESS"] = "";
  EXPECT_EQ(Parse({"event", "list"})->args.Get("--address"), "127.0.0.1:50051");
}

TEST_F(ArgsTest, FindsARequiredFlagInTheEnvironment) {
  const std::vector<std::string> words = {"verify", "--id=i", "--timestamp=1", "--signature=s"};
  EXPECT_THAT(ErrorOf(words), HasSubstr("--secret is missing"));
  environment_["POSTRIDER_WEBHOOK_SECRET"] = "whsec_x";
  EXPECT_THAT(Parse(words)->args.All("--secret"), ElementsAre("whsec_x"));
}

TEST_F(ArgsTest, TakesADashAsTheArgumentAndEverythingAfterTwoDashes) {
  EXPECT_EQ(Parse({"event", "publish", "--type=a", "-"})->args.argument, "-");
  EXPECT_EQ(Parse({"endpoint", "get", "--", "--odd"})->args.argument, "--odd");
}

TEST_F(ArgsTest, AnswersWrongLinesWithOneSentenceAndTheRightHelp) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> lines = {
      {{"endpoints"}, "there is no command 'endpoints'. See 'postrider --help'."},
      {{"endpoint"}, "'endpoint' needs a second word: create, list, "},
      {{"endpoint", "make"}, "there is no 'endpoint make': create, list, "},
      {{"endpoint", "get"}, "ENDPOINT_ID is missing. See 'postrider endpoint get --help'."},
      {{"endpoint", "get", "a", "b"}, "'b' is one word too many."},
      {{"endpoint", "list", "a"}, "'a' is one word too many."},
      {{"endpoint", "list", "--frob"}, "there is no flag --frob."},
      {{"endpoint", "list", "-x"}, "there is no flag -x."},
      {{"endpoint", "create"}, "--url is missing."},
      {{"endpoint", "create", "--url"}, "--url needs a value."},
      {{"endpoint", "create", "--url", "--ordered"}, "--url needs a value; if it is '--ordered'"},
      {{"endpoint", "create", "--url=a", "--url=b"}, "--url is given twice."},
      {{"endpoint", "create", "--url=a", "--ordered=yes"}, "--ordered is a switch"},
      {{"--ordered", "endpoint"}, "there is no flag --ordered. See 'postrider --help'."},
      {{"--output"}, "--output needs a value."},
      {{"--output=json"}, "no command is given."},
  };
  for (const auto& [words, expected] : lines) {
    EXPECT_EQ(Parse(words).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(ErrorOf(words), HasSubstr(expected));
  }
}

TEST_F(ArgsTest, LooksAtNothingBehindACommandThatIsNotAvailable) {
  const auto line = Parse({"delivery", "explain", "evt_1", "ep_1", "--what=ever"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->command->run, nullptr);
  EXPECT_TRUE(Parse({"delivery", "explain", "x", "--help"})->help);
}

TEST_F(ArgsTest, UnderstandsHelpOnEveryLevel) {
  EXPECT_TRUE(Parse({"--help"})->help);
  EXPECT_TRUE(Parse({"help"})->help);
  EXPECT_EQ(Parse({"endpoint", "-h"})->group, "endpoint");
  EXPECT_EQ(Parse({"help", "endpoint"})->group, "endpoint");
  EXPECT_EQ(FullName(*Parse({"help", "event", "list"})->command), "event list");
  EXPECT_EQ(FullName(*Parse({"event", "publish", "--type", "a.b", "--help"})->command),
            "event publish");
}

}  // namespace
}  // namespace postrider::cli
