#include "tools/postrider/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tools/postrider/commands.h"

namespace postrider::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HelpTest, ListsEveryCommandOfTheTable) {
  const std::string help = CommandsHelp(Commands(), GlobalFlags(), "");
  for (const Command& command : Commands()) {
    EXPECT_THAT(help, HasSubstr("\n  " + FullName(command) + " "));
  }
}

TEST(HelpTest, ListsTheCommandsOfOneGroupOnly) {
  const std::string help = CommandsHelp(Commands(), GlobalFlags(), "delivery");
  EXPECT_THAT(help, HasSubstr("delivery redeliver"));
  EXPECT_THAT(help, Not(HasSubstr("endpoint create")));
}

TEST(HelpTest, ShowsEveryFlagOfACommand) {
  for (const Command& command : Commands()) {
    const std::string help = CommandHelp(command, GlobalFlags());
    EXPECT_THAT(help, HasSubstr("Usage: postrider " + FullName(command)));
    for (const Flag& flag : command.flags) {
      EXPECT_THAT(help, HasSubstr("\n  " + std::string(flag.name)));
    }
  }
}

TEST(HelpTest, SaysWhichCommandsAreNotAvailableYet) {
  EXPECT_THAT(CommandsHelp(Commands(), GlobalFlags(), "endpoint"),
              HasSubstr("Sends a test event to an endpoint (not available yet)\n"));
}

TEST(CommandsTest, NamesNoCommandAndNoFlagTwice) {
  std::set<std::string> names;
  for (const Command& command : Commands()) {
    EXPECT_TRUE(names.insert(FullName(command)).second) << FullName(command);
    std::set<std::string> flags;
    for (const Flag& flag : GlobalFlags()) flags.insert(std::string(flag.name));
    for (const Flag& flag : command.flags) {
      EXPECT_TRUE(flags.insert(std::string(flag.name)).second) << FullName(command) << flag.name;
    }
  }
}

}  // namespace
}  // namespace postrider::cli
