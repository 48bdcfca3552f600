#include "server/security/sealer.h"

#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace postrider::security {
namespace {

std::string Hex(absl::string_view text) { return absl::HexStringToBytes(text); }

MasterKey Key(char fill) {
  return MasterKey::Parse(absl::BytesToHexString(std::string(32, fill))).value();
}

// Test case 16 of the GCM specification (McGrew and Viega, appendix B).
TEST(SealerTest, AgreesWithTheSpecificationsVector) {
  const MasterKey key =
      MasterKey::Parse("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").value();
  const std::string plaintext =
      Hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
          "49a6b525b16aedf5aa0de657ba637b39");
  const std::string associated_data = Hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto sealed = Seal(key, plaintext, associated_data, Hex("cafebabefacedbaddecaf888"));
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_EQ(
      absl::BytesToHexString(sealed->bytes),
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105"
      "6828838c5f61e6393ba7a0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(sealed->key_id, key.id());
  EXPECT_EQ(sealed->nonce, Hex("cafebabefacedbaddecaf888"));
  EXPECT_EQ(Open(key, *sealed, associated_data).value(), plaintext);
}

TEST(SealerTest, OpensWhatItSealedOfAnySize) {
  const MasterKey key = Key('k');
  for (size_t size : {size_t{0}, size_t{1}, size_t{38}, size_t{4096}, kMaxSealedPlaintext}) {
    SCOPED_TRACE(size);
    const std::string plaintext(size, 'p');
    const auto sealed = Seal(key, plaintext, "", std::string(kNonceSize, 'n'));
    ASSERT_TRUE(sealed.ok()) << sealed.status();
    EXPECT_EQ(sealed->bytes.size(), size + kTagSize);
    const auto opened = Open(key, *sealed, "");
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(*opened, plaintext);
  }
}

TEST(SealerTest, RefusesToSealTooMuchOrWithAnotherNonceSize) {
  const MasterKey key = Key('k');
  for (size_t size : {0, 11, 13, 16}) {
    EXPECT_EQ(Seal(key, "p", "", std::string(size, 'n')).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Seal(key, std::string(kMaxSealedPlaintext + 1, 'p'), "", std::string(kNonceSize, 'n'))
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SealerTest, EveryChangedBitIsNoticed) {
  const MasterKey key = Key('k');
  const auto sealed = Seal(key, "secret", "context", std::string(kNonceSize, 'n')).value();
  for (size_t bit = 0; bit < sealed.bytes.size() * 8; ++bit) {
    SealedSecret changed = sealed;
    changed.bytes[bit / 8] = static_cast<char>(changed.bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(Open(key, changed, "context").status().code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (size_t bit = 0; bit < sealed.nonce.size() * 8; ++bit) {
    SealedSecret changed = sealed;
    changed.nonce[bit / 8] = static_cast<char>(changed.nonce[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(Open(key, changed, "context").status().code(), absl::StatusCode::kDataLoss) << bit;
  }
}

TEST(SealerTest, CutValuesAreNoticed) {
  const MasterKey key = Key('k');
  const auto sealed = Seal(key, "secret", "", std::string(kNonceSize, 'n')).value();
  for (size_t size = 0; size < sealed.bytes.size(); ++size) {
    SealedSecret cut = sealed;
    cut.bytes.resize(size);
    EXPECT_EQ(Open(key, cut, "").status().code(), absl::StatusCode::kDataLoss) << size;
  }
  SealedSecret cut = sealed;
  cut.nonce.pop_back();
  EXPECT_EQ(Open(key, cut, "").status().code(), absl::StatusCode::kDataLoss);
}

TEST(SealerTest, AnotherKeyIsToldFromDamage) {
  const auto sealed = Seal(Key('k'), "secret", "", std::string(kNonceSize, 'n')).value();
  EXPECT_EQ(Open(Key('x'), sealed, "").status().code(), absl::StatusCode::kFailedPrecondition);
  SealedSecret relabelled = sealed;
  relabelled.key_id = Key('x').id();
  EXPECT_EQ(Open(Key('x'), relabelled, "").status().code(), absl::StatusCode::kDataLoss);
}

TEST(SealerTest, AValueDoesNotOpenInAnotherPlace) {
  const MasterKey key = Key('k');
  const SealContext place = {"org", "env", "ep_1", 1, SealPurpose::kEndpointSecret};
  const auto sealed =
      Seal(key, "secret", AssociatedData(place), std::string(kNonceSize, 'n')).value();
  EXPECT_TRUE(Open(key, sealed, AssociatedData(place)).ok());
  const SealContext others[] = {
      {"org2", "env", "ep_1", 1, SealPurpose::kEndpointSecret},
      {"org", "env2", "ep_1", 1, SealPurpose::kEndpointSecret},
      {"org", "env", "ep_2", 1, SealPurpose::kEndpointSecret},
      {"org", "env", "ep_1", 2, SealPurpose::kEndpointSecret},
      {"org", "env", "ep_1", 1, SealPurpose::kEndpointHeaders},
      {"orge", "nv", "ep_1", 1, SealPurpose::kEndpointSecret},
      {"orgenv", "", "ep_1", 1, SealPurpose::kEndpointSecret},
      {"", "orgenv", "ep_1", 1, SealPurpose::kEndpointSecret},
  };
  for (const SealContext& other : others) {
    EXPECT_EQ(Open(key, sealed, AssociatedData(other)).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

// Rows on disk depend on these bytes.
TEST(SealerTest, TheAssociatedDataKeepsItsForm) {
  EXPECT_EQ(AssociatedData({"org", "", "ep_1", -12, SealPurpose::kEndpointHeaders}),
            std::string_view("postrider-seal-1"
                             "\0\0\0\x10"
                             "endpoint-headers"
                             "\0\0\0\x03"
                             "org"
                             "\0\0\0\0"
                             "\0\0\0\x04"
                             "ep_1"
                             "\0\0\0\x03"
                             "-12",
                             16 + 20 + 7 + 4 + 8 + 7));
}

TEST(KeyRingTest, SealsUnderTheCurrentKeyAndOpensUnderOlderOnes) {
  const auto before = KeyRing::Create(Key('a'), {}).value();
  const auto old_value = before.Seal("old", "context").value();

  const auto ring = KeyRing::Create(Key('b'), {Key('a'), Key('c')}).value();
  const auto new_value = ring.Seal("new", "context").value();
  EXPECT_EQ(new_value.key_id, Key('b').id());
  EXPECT_EQ(ring.Open(new_value, "context").value(), "new");
  EXPECT_EQ(ring.Open(old_value, "context").value(), "old");
  EXPECT_EQ(new_value.key_id, ring.current().id());
  EXPECT_NE(old_value.key_id, ring.current().id());
  EXPECT_TRUE(ring.Holds(new_value.key_id));
  EXPECT_TRUE(ring.Holds(old_value.key_id));
  EXPECT_FALSE(ring.Holds("0123456789abcdef"));
  EXPECT_EQ(ring.Open(old_value, "other").status().code(), absl::StatusCode::kDataLoss);

  const auto after = KeyRing::Create(Key('b'), {}).value();
  const auto status = after.Open(old_value, "context").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(Key('a').id()), std::string_view::npos);
}

TEST(KeyRingTest, RefusesAKeyGivenTwice) {
  EXPECT_EQ(KeyRing::Create(Key('a'), {Key('a')}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(KeyRing::Create(Key('a'), {Key('b'), Key('b')}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(KeyRingTest, TakesANewNonceForEveryValue) {
  const auto ring = KeyRing::Create(Key('a'), {}).value();
  std::set<std::string> nonces;
  for (int i = 0; i < 100; ++i) nonces.insert(ring.Seal("same", "").value().nonce);
  EXPECT_EQ(nonces.size(), 100u);
  const auto fixed = ring.Seal("same", "", [](size_t size) { return std::string(size, 'n'); });
  EXPECT_EQ(fixed->nonce, "nnnnnnnnnnnn");
}

}  // namespace
}  // namespace postrider::security
