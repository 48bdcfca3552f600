#include "storage/postgres/embedded/data_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/embedded/temp_folder.h"

namespace postrider::embedded {
namespace {

using ::testing::HasSubstr;

const unsigned kFolderMode = ::geteuid() == 0 ? 0711 : 0700;

TEST(DataDirTest, CreatesMissingFolders) {
  TempFolder temp;
  const mode_t before = ::umask(0077);
  auto data_dir = DataDir::Open(temp.path() + "/a/b/");
  ::umask(before);
  ASSERT_TRUE(data_dir.ok()) << data_dir.status();
  EXPECT_EQ((*data_dir)->path(), temp.path() + "/a/b");
  EXPECT_EQ(ModeOf(temp.path() + "/a"), kFolderMode);
  EXPECT_EQ(ModeOf(temp.path() + "/a/b"), kFolderMode);
  EXPECT_EQ(ModeOf(temp.path() + "/a/b/lock"), 0600u);
}

TEST(DataDirTest, EmptyFolderOfRootIsMadePassable) {
  TempFolder temp;  // 0700, as mkdtemp makes it.
  ASSERT_TRUE(DataDir::Open(temp.path()).ok());
  EXPECT_EQ(ModeOf(temp.path()), kFolderMode);
}

TEST(DataDirTest, FolderWithOtherThingsInItKeepsItsMode) {
  TempFolder temp;
  std::ofstream(temp.path() + "/other") << "x";
  ASSERT_TRUE(DataDir::Open(temp.path()).ok());
  EXPECT_EQ(ModeOf(temp.path()), 0700u);
}

TEST(DataDirTest, EmptyPathIsRefused) {
  EXPECT_EQ(DataDir::Open("").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DataDirTest, FileInsteadOfFolderIsRefused) {
  TempFolder temp;
  std::ofstream(temp.path() + "/file") << "x";
  EXPECT_FALSE(DataDir::Open(temp.path() + "/file").ok());
  EXPECT_FALSE(DataDir::Open(temp.path() + "/file/below").ok());
}

TEST(DataDirTest, SecondOpenIsRefusedAndNamesTheHolder) {
  TempFolder temp;
  auto first = DataDir::Open(temp.path());
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = DataDir::Open(temp.path());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("in use by another postriderd, pid ", ::getpid())));
}

TEST(DataDirTest, CanBeOpenedAgainAfterItsEnd) {
  TempFolder temp;
  ASSERT_TRUE(DataDir::Open(temp.path()).ok());
  EXPECT_TRUE(DataDir::Open(temp.path()).ok());
}

TEST(DataDirTest, LockEndsWithAKilledHolderAndIsNotInheritedOverExec) {
  TempFolder temp;
  int held[2], executed[2];
  ASSERT_EQ(::pipe2(held, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(executed, O_CLOEXEC), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto data_dir = DataDir::Open(temp.path());
    const pid_t survivor = data_dir.ok() ? ::fork() : -1;
    if (survivor == 0) {
      ::dup2(executed[1], STDOUT_FILENO);
      ::execl("/bin/sh", "sh", "-c", "echo; exec sleep 60", nullptr);
      ::_exit(1);
    }
    [[maybe_unused]] auto ignored = ::write(held[1], &survivor, sizeof(survivor));
    ::pause();
    ::_exit(0);
  }
  ::close(held[1]);
  ::close(executed[1]);
  pid_t survivor = -1;
  ASSERT_EQ(::read(held[0], &survivor, sizeof(survivor)), ssize_t{sizeof(survivor)});
  ASSERT_GT(survivor, 0);
  char newline;
  EXPECT_EQ(::read(executed[0], &newline, 1), 1);
  EXPECT_FALSE(DataDir::Open(temp.path()).ok());
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  EXPECT_TRUE(DataDir::Open(temp.path()).ok());
  ::kill(survivor, SIGKILL);
  ::close(held[0]);
  ::close(executed[0]);
}

TEST(ReadOrCreateTest, KeepsWhatWasMadeFirst) {
  TempFolder temp;
  {
    auto data_dir = DataDir::Open(temp.path());
    ASSERT_TRUE(data_dir.ok()) << data_dir.status();
    EXPECT_EQ(*(*data_dir)->ReadOrCreate("node-id", [] { return std::string("one\0two", 7); }),
              std::string("one\0two", 7));
    EXPECT_EQ(ModeOf(temp.path() + "/node-id"), 0600u);
  }
  auto data_dir = DataDir::Open(temp.path());
  ASSERT_TRUE(data_dir.ok()) << data_dir.status();
  int calls = 0;
  auto again = (*data_dir)->ReadOrCreate("node-id", [&calls] {
    ++calls;
    return std::string("other");
  });
  EXPECT_EQ(*again, std::string("one\0two", 7));
  EXPECT_EQ(calls, 0);
}

TEST(ReadOrCreateTest, ModeDoesNotDependOnTheUmask) {
  TempFolder temp;
  auto data_dir = DataDir::Open(temp.path());
  ASSERT_TRUE(data_dir.ok()) << data_dir.status();
  const mode_t before = ::umask(0377);
  auto made = (*data_dir)->ReadOrCreate("key", [] { return "k"; });
  ::umask(before);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(ModeOf(temp.path() + "/key"), 0600u);
}

TEST(ReadOrCreateTest, HalfWrittenFileOfACrashIsReplaced) {
  TempFolder temp;
  auto data_dir = DataDir::Open(temp.path());
  ASSERT_TRUE(data_dir.ok()) << data_dir.status();
  std::ofstream(temp.path() + "/key.new") << "ha";
  EXPECT_EQ(*(*data_dir)->ReadOrCreate("key", [] { return "whole"; }), "whole");
  EXPECT_FALSE(std::filesystem::exists(temp.path() + "/key.new"));
}

TEST(ReadOrCreateTest, OnlyPlainNamesAreAllowed) {
  TempFolder temp;
  auto data_dir = DataDir::Open(temp.path());
  ASSERT_TRUE(data_dir.ok()) << data_dir.status();
  for (const char* name :
       {"", ".", "..", "a/b", "../up", ".hidden", "lock", "x.new", "a b", "a."}) {
    EXPECT_EQ((*data_dir)->ReadOrCreate(name, [] { return "x"; }).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
}

TEST(ReadOrCreateTest, TooLongContentIsRefused) {
  TempFolder temp;
  auto data_dir = DataDir::Open(temp.path());
  ASSERT_TRUE(data_dir.ok()) << data_dir.status();
  const std::string longest(DataDir::kMaxFileBytes, 'x');
  EXPECT_EQ((*data_dir)->ReadOrCreate("a", [&] { return longest + "y"; }).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*(*data_dir)->ReadOrCreate("a", [&] { return longest; }), longest);
  EXPECT_EQ(*(*data_dir)->ReadOrCreate("a", [] { return "z"; }), longest);
}

}  // namespace
}  // namespace postrider::embedded
