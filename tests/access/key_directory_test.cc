#include "server/access/key_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/access/key_table.h"

namespace postrider::access {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

KnownApiKey Known(uint8_t number, const std::string& certificate = "") {
  KnownApiKey known;
  known.key.id.ulid.bytes[15] = number;
  known.key.certificate_san = certificate;
  known.secret_digest = "digest";
  return known;
}

KnownApiKey Revoked(KnownApiKey known) {
  known.revoked = true;
  return known;
}

class KeyDirectoryTest : public ::testing::Test {
 protected:
  KeyTable table_;
  // Not started: the test reads when it wants to.
  KeyDirectory directory_{std::make_unique<KeyTableReader>(table_), KeyLimits{}};
};

TEST_F(KeyDirectoryTest, NothingIsKnownAndNothingFreshBeforeTheFirstReading) {
  EXPECT_FALSE(directory_.Fresh(MonotonicNow()));
  EXPECT_EQ(directory_.Find(Known(1).key.id), nullptr);
}

TEST_F(KeyDirectoryTest, FollowsTheTableFromWhereItEnded) {
  table_.changes = {Known(1)};
  ASSERT_TRUE(directory_.Refresh().ok());
  const std::shared_ptr<KeyInUse> key = directory_.Find(Known(1).key.id);
  ASSERT_NE(key, nullptr);
  // The same row again changes nothing: what the key has used stays counted.
  table_.changes = {Known(1), Known(2)};
  ASSERT_TRUE(directory_.Refresh().ok());
  EXPECT_EQ(directory_.Find(Known(1).key.id), key);
  EXPECT_NE(directory_.Find(Known(2).key.id), nullptr);
  EXPECT_THAT(table_.asked, ElementsAre(0, 1));
}

TEST_F(KeyDirectoryTest, ARevokedKeyEndsAlsoForThoseWhoHoldIt) {
  table_.changes = {Known(1, "name")};
  ASSERT_TRUE(directory_.Refresh().ok());
  const std::shared_ptr<KeyInUse> held = directory_.FindByCertificate("name");
  ASSERT_NE(held, nullptr);
  EXPECT_TRUE(held->ValidAt(absl::UnixEpoch()));
  table_.changes = {Revoked(Known(1, "name"))};
  ASSERT_TRUE(directory_.Refresh().ok());
  EXPECT_FALSE(held->ValidAt(absl::UnixEpoch()));
  EXPECT_EQ(directory_.Find(Known(1).key.id), nullptr);
  EXPECT_EQ(directory_.FindByCertificate("name"), nullptr);
}

TEST_F(KeyDirectoryTest, ACertificatesNameMayGoToAnotherKeyInAnyOrder) {
  table_.changes = {Known(1, "name")};
  ASSERT_TRUE(directory_.Refresh().ok());
  table_.changes = {Known(2, "name"), Revoked(Known(1, "name"))};
  ASSERT_TRUE(directory_.Refresh().ok());
  const std::shared_ptr<KeyInUse> key = directory_.FindByCertificate("name");
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->id(), Known(2).key.id);
}

TEST_F(KeyDirectoryTest, AnExpiredKeyIsNotValid) {
  KnownApiKey known = Known(1);
  known.key.expire_time = absl::UnixEpoch();
  table_.changes = {known};
  ASSERT_TRUE(directory_.Refresh().ok());
  const std::shared_ptr<KeyInUse> key = directory_.Find(known.key.id);
  EXPECT_TRUE(key->ValidAt(absl::UnixEpoch() - absl::Nanoseconds(1)));
  EXPECT_FALSE(key->ValidAt(absl::UnixEpoch()));
}

TEST_F(KeyDirectoryTest, WhatCouldNotBeReadForTooLongIsNotGoneBy) {
  table_.changes = {Known(1)};
  const Instant read = MonotonicNow();
  ASSERT_TRUE(directory_.Refresh().ok());
  const Instant after = MonotonicNow();
  EXPECT_TRUE(directory_.Fresh(read + KeyDirectory::kMaxAge));
  table_.broken = true;
  EXPECT_FALSE(directory_.Refresh().ok());
  EXPECT_FALSE(directory_.Fresh(after + KeyDirectory::kMaxAge + absl::Nanoseconds(1)));
  // Polled every second and gone by for four: a revoked key is refused within five.
  EXPECT_LE(KeyDirectory::kMaxAge + KeyDirectory::kPoll, absl::Seconds(5));
  table_.broken = false;
  ASSERT_TRUE(directory_.Refresh().ok());
  EXPECT_TRUE(directory_.Fresh(MonotonicNow()));
  EXPECT_NE(directory_.Find(Known(1).key.id), nullptr);
}

TEST_F(KeyDirectoryTest, EveryReadingIsTold) {
  int told = 0;
  directory_.TellOfReadings([&] { ++told; });
  ASSERT_TRUE(directory_.Refresh().ok());
  ASSERT_TRUE(directory_.Refresh().ok());
  table_.broken = true;
  EXPECT_FALSE(directory_.Refresh().ok());
  EXPECT_EQ(told, 2);
}

TEST_F(KeyDirectoryTest, UsesAreNotedOnceAtTheEnd) {
  table_.changes = {Known(1), Known(2)};
  ASSERT_TRUE(directory_.Refresh().ok());
  directory_.Find(Known(1).key.id)->last_use_micros = 5;
  EXPECT_THAT(table_.uses, IsEmpty());
  directory_.Stop();
  EXPECT_THAT(table_.uses, ElementsAre(std::pair(Known(1).key.id, absl::FromUnixMicros(5))));
}

}  // namespace
}  // namespace postrider::access
