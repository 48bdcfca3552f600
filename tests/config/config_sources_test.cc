// Where settings come from: flags, environment, file, in this order.

#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config/config.h"

namespace postrider::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Environment Of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    if (it == variables.end()) return std::nullopt;
    return it->second;
  };
}

// A settings file, removed at the end.
class SettingsFile {
 public:
  explicit SettingsFile(const std::string& text) {
    const int file = ::mkstemp(path_.data());
    if (file < 0) ::abort();
    std::ofstream(path_) << text;
    std::fclose(::fdopen(file, "r"));
  }
  ~SettingsFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "/postrider-config-XXXXXX";
};

Config Loaded(const std::vector<std::string>& arguments, const Environment& environment = Of({})) {
  const absl::StatusOr<Config> config = Load(arguments, environment);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(Config{});
}

std::string Problem(const std::vector<std::string>& arguments,
                    const Environment& environment = Of({})) {
  const absl::Status status = Load(arguments, environment).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(SourcesTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  const SettingsFile file("disable-threshold = 1\nattempt-timeout = 11s\nnode-id = from-file\n");
  const Environment environment =
      Of({{"POSTRIDER_DISABLE_THRESHOLD", "2"}, {"POSTRIDER_ATTEMPT_TIMEOUT", "12s"}});
  const Config config = Loaded({"--config", file.path(), "--disable-threshold", "3"}, environment);
  EXPECT_EQ(config.disable_threshold, 3);
  EXPECT_EQ(config.attempt_timeout, absl::Seconds(12));
  EXPECT_EQ(config.node_id, "from-file");
  EXPECT_EQ(config.connect_timeout, absl::Seconds(5));  // nowhere: the default
}

TEST(SourcesTest, ListsOfSeveralSourcesAreNotMixed) {
  const SettingsFile file("egress-allow = 10.0.0.0/8\n");
  const Environment environment = Of({{"POSTRIDER_EGRESS_ALLOW", "10.1.0.0/16,10.2.0.0/16"}});
  EXPECT_THAT(Loaded({"--config=" + file.path()}, environment).egress_allow,
              ElementsAre("10.1.0.0/16", "10.2.0.0/16"));
  EXPECT_THAT(
      Loaded({"--config=" + file.path(), "--egress-allow=10.3.0.0/16"}, environment).egress_allow,
      ElementsAre("10.3.0.0/16"));
}

TEST(SourcesTest, AWrongValueThatDoesNotCountDoesNoHarm) {
  const Environment environment = Of({{"POSTRIDER_DISABLE_THRESHOLD", "many"}});
  EXPECT_EQ(Loaded({"--disable-threshold=7"}, environment).disable_threshold, 7);
}

TEST(SourcesTest, FlagsTakeTheirValueBehindASpaceOrAnEqualsSign) {
  EXPECT_EQ(Loaded({"--node-id", "a"}).node_id, "a");
  EXPECT_EQ(Loaded({"--node-id=a"}).node_id, "a");
  // Only the first equals sign counts.
  EXPECT_EQ(Loaded({"--database=host=x dbname=y", "--master-key-file=k"}).database,
            "host=x dbname=y");
}

TEST(SourcesTest, AFlagGivenTwiceCountsAsGivenLast) {
  EXPECT_EQ(Loaded({"--node-id=a", "--node-id=b"}).node_id, "b");
  EXPECT_FALSE(Loaded({"--egress-allow-http", "--no-egress-allow-http"}).egress_allow_http);
}

TEST(SourcesTest, RepeatedFlagsAddUp) {
  EXPECT_THAT(Loaded({"--listen=127.0.0.1:1", "--listen", "unix:/tmp/x"}).listen,
              ElementsAre("127.0.0.1:1", "unix:/tmp/x"));
  EXPECT_THAT(Loaded({"--egress-allow=127.0.0.0/8", "--egress-allow=::1"}).egress_allow,
              ElementsAre("127.0.0.0/8", "::1"));
}

TEST(SourcesTest, RepeatedLinesAddUp) {
  const SettingsFile file("listen = 127.0.0.1:1\nlisten = 127.0.0.1:2\n");
  EXPECT_THAT(Loaded({"--config", file.path()}).listen, ElementsAre("127.0.0.1:1", "127.0.0.1:2"));
}

TEST(SourcesTest, SwitchesAreTurnedOnAndOff) {
  EXPECT_FALSE(Loaded({}).egress_allow_http);
  EXPECT_TRUE(Loaded({"--egress-allow-http"}).egress_allow_http);
  EXPECT_TRUE(Loaded({"--egress-allow-http=on"}).egress_allow_http);
  EXPECT_FALSE(Loaded({"--egress-allow-http=off"}).egress_allow_http);
  EXPECT_TRUE(Loaded({}).disable_on_gone);
  EXPECT_FALSE(Loaded({"--no-disable-on-gone"}).disable_on_gone);
  EXPECT_FALSE(Loaded({}, Of({{"POSTRIDER_DISABLE_ON_GONE", "false"}})).disable_on_gone);
}

TEST(SourcesTest, ANegatedSwitchOverridesTheEnvironment) {
  const Environment environment = Of({{"POSTRIDER_EGRESS_ALLOW_HTTP", "on"}});
  EXPECT_TRUE(Loaded({}, environment).egress_allow_http);
  EXPECT_FALSE(Loaded({"--no-egress-allow-http"}, environment).egress_allow_http);
}

TEST(SourcesTest, ANegatedSwitchIsNeverTurnedOn) {
  for (const char* flag : {"--no-egress-allow-http=on", "--no-egress-allow-http=true"}) {
    const absl::StatusOr<Config> config = Load({flag}, Of({}));
    EXPECT_FALSE(config.ok() && config->egress_allow_http) << flag;
  }
}

TEST(SourcesTest, OnlySwitchesCanBeNegated) {
  EXPECT_THAT(Problem({"--no-node-id"}), HasSubstr("--no-node-id is no flag"));
  EXPECT_THAT(Problem({"--no-config"}), HasSubstr("--no-config is no flag"));
}

TEST(SourcesTest, UnknownFlagsAndBareWordsAreNamed) {
  EXPECT_THAT(Problem({"--colour=red"}), HasSubstr("--colour is no flag"));
  EXPECT_THAT(Problem({"start"}), HasSubstr("'start' is no flag"));
  EXPECT_THAT(Problem({"-x"}), HasSubstr("'-x' is no flag"));
  EXPECT_THAT(Problem({"--"}), HasSubstr("is no flag"));
}

TEST(SourcesTest, AFlagWithoutItsValueIsNamed) {
  EXPECT_THAT(Problem({"--node-id"}), HasSubstr("--node-id needs a value"));
  EXPECT_THAT(Problem({"--config"}), HasSubstr("--config needs a value"));
}

TEST(SourcesTest, AFileHoldsCommentsBlankLinesAndEitherSpelling) {
  const SettingsFile file(
      "# settings\n"
      "\n"
      "   node_id =  n1  \n"
      "\tdatabase = host=x port=5\n"
      "# node-id = other\n"
      "master-key-file = /k # not a comment here\n");
  const Config config = Loaded({"--config", file.path()});
  EXPECT_EQ(config.node_id, "n1");
  EXPECT_EQ(config.database, "host=x port=5");
  EXPECT_EQ(config.master_key_file, "/k # not a comment here");
}

TEST(SourcesTest, AWrongLineIsNamedByItsPlace) {
  const SettingsFile file("node-id = ok\nnonsense\ncolour = red\ndisable-threshold = many\n");
  const std::string problem = Problem({"--config", file.path()});
  EXPECT_THAT(problem, HasSubstr(absl::StrCat(file.path(), ":2: must be NAME = VALUE")));
  EXPECT_THAT(problem, HasSubstr(absl::StrCat(file.path(), ":3: must be NAME = VALUE")));
  EXPECT_THAT(problem,
              HasSubstr(absl::StrCat(file.path(), ":4: disable-threshold must be a number")));
}

TEST(SourcesTest, AFileThatCannotBeReadIsNamed) {
  EXPECT_THAT(Problem({"--config=/no/such/file"}),
              HasSubstr("--config: cannot read /no/such/file"));
}

TEST(SourcesTest, TheEnvironmentNamesTheFileToo) {
  const SettingsFile low("node-id = by-variable\n");
  const SettingsFile high("node-id = by-flag\n");
  const Environment environment = Of({{"POSTRIDER_CONFIG", low.path()}});
  EXPECT_EQ(Loaded({}, environment).node_id, "by-variable");
  EXPECT_EQ(Loaded({"--config", high.path()}, environment).node_id, "by-flag");
}

TEST(SourcesTest, ErrorsNameTheVariable) {
  EXPECT_THAT(Problem({}, Of({{"POSTRIDER_DISABLE_THRESHOLD", "many"}})),
              HasSubstr("POSTRIDER_DISABLE_THRESHOLD must be a number from 0 to 1000000"));
}

TEST(SourcesTest, TheProcessEnvironmentIsRead) {
  ::setenv("POSTRIDER_TEST_OF_CONFIG", "x", 1);
  EXPECT_EQ(ProcessEnvironment()("POSTRIDER_TEST_OF_CONFIG"), "x");
  ::unsetenv("POSTRIDER_TEST_OF_CONFIG");
  EXPECT_EQ(ProcessEnvironment()("POSTRIDER_TEST_OF_CONFIG"), std::nullopt);
}

TEST(SourcesTest, TheDataFolderFollowsTheUser) {
  const Environment environment = Of({{"XDG_DATA_HOME", "/x"}, {"HOME", "/h"}});
  const std::string folder = Loaded({}, environment).data_dir;
  EXPECT_EQ(folder, ::geteuid() == 0 ? "/var/lib/postrider" : "/x/postrider");
  EXPECT_EQ(Loaded({"--data-dir=/d"}, environment).data_dir, "/d");
}

}  // namespace
}  // namespace postrider::config
