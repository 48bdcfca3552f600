// Every command of the table that calls a server, run in this process.

#include "tools/postrider/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/client/fake_server.h"
#include "tools/postrider/call.h"

namespace postrider::cli {
namespace {

using postrider::testing::FakeServer;

// A value that a flag takes, going by what stands for it in the help.
std::string ValueFor(const Flag& flag) {
  if (flag.value == "STATE")
    return flag.help.find("ENABLED") == flag.help.npos ? "FAILED" : "ENABLED";
  if (flag.value == "OUTCOME") return "TIMEOUT";
  if (flag.value == "SCHEME") return "ED25519";
  if (flag.value == "SCOPE") return "READ";
  if (flag.value == "N" || flag.value == "R") return "3";
  if (flag.value == "TIME") return "2023-11-14T22:13:20Z";
  if (flag.value == "SPAN" || flag.value == "SPANS") return "30s";
  if (flag.value == "KEY=VALUE") return "a=b";
  if (flag.value == "'NAME: VALUE'") return "a: b";
  if (flag.value == "JSON") return "{}";
  return "text";
}

TEST(CommandsTest, FillEveryFlagIntoARequestThatTheServerGets) {
  FakeServer server;
  server.AddEndpoints(1);
  int commands = 0;
  for (const Command& command : Commands()) {
    if (command.run == nullptr || command.name.empty()) continue;
    Args args;
    args.Add("--address", server.address());
    args.Add("--output", "table");
    for (const Flag& flag : command.flags) {
      if (flag.name == "--data-file") continue;  // beside --data too much
      args.Add(flag.name, flag.value.empty() ? "true" : ValueFor(flag));
    }
    if (command.argument.required) args.argument = "ep_1";
    const size_t calls = server.credentials().size();
    const Outcome outcome = command.run({command, args});
    // The fake server knows some of the rpcs; the others are UNIMPLEMENTED there.
    EXPECT_TRUE(server.credentials().size() == calls + 1 ||
                outcome.error.find("UNIMPLEMENTED") != std::string::npos)
        << FullName(command) << ": " << outcome.error;
    ++commands;
  }
  EXPECT_EQ(commands, 20);
}

}  // namespace
}  // namespace postrider::cli
