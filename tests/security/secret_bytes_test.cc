#include "server/security/secret_bytes.h"

#include <new>
#include <string>

#include "gtest/gtest.h"
#include "server/security/random.h"

namespace postrider::security {
namespace {

TEST(SecretBytesTest, HoldsWhatItWasGiven) {
  const SecretBytes secret(std::string_view("a\0b", 3));
  EXPECT_EQ(secret.view(), std::string_view("a\0b", 3));
  EXPECT_EQ(secret.size(), 3u);
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(SecretBytes().empty());
}

TEST(SecretBytesTest, IsEmptyRatherThanCutWhenGivenTooMuch) {
  EXPECT_EQ(SecretBytes(std::string(SecretBytes::kMaxSize, 'x')).size(), SecretBytes::kMaxSize);
  EXPECT_TRUE(SecretBytes(std::string(SecretBytes::kMaxSize + 1, 'x')).empty());
}

TEST(SecretBytesTest, CopiesAreIndependent) {
  SecretBytes first("one");
  const SecretBytes copy = first;
  first = SecretBytes("other");
  EXPECT_EQ(copy.view(), "one");
  EXPECT_EQ(first.view(), "other");
  const SecretBytes& self = first;
  first = self;
  EXPECT_EQ(first.view(), "other");
}

TEST(SecretBytesTest, AssigningAShorterSecretLeavesNothingOfTheLonger) {
  SecretBytes secret(std::string(64, 'x'));
  secret = SecretBytes("y");
  const std::string_view whole(secret.view().data(), SecretBytes::kMaxSize);
  EXPECT_EQ(whole.find('x'), std::string_view::npos);
}

TEST(SecretBytesTest, DestructionOverwritesTheBytes) {
  alignas(SecretBytes) unsigned char storage[sizeof(SecretBytes)] = {};
  auto* secret = new (storage) SecretBytes("canary-canary-canary");
  secret->~SecretBytes();
  // Read through volatile: the compiler may assume that nobody looks at a dead object.
  std::string left;
  for (const volatile unsigned char& byte : storage) left.push_back(static_cast<char>(byte));
  EXPECT_EQ(left.find("canary"), std::string::npos);
}

TEST(SecretBytesTest, ComparesInConstantTimeByContent) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals("same", "same"));
  EXPECT_FALSE(ConstantTimeEquals("same", "sama"));
  EXPECT_FALSE(ConstantTimeEquals("same", "sam"));
}

TEST(RandomBytesTest, GivesTheSizeAskedForAndNeverTheSameTwice) {
  EXPECT_EQ(RandomBytes(0), "");
  EXPECT_EQ(RandomBytes(1).size(), 1u);
  EXPECT_EQ(RandomBytes(1000).size(), 1000u);
  EXPECT_NE(RandomBytes(32), RandomBytes(32));
}

}  // namespace
}  // namespace postrider::security
