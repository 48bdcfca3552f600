#include "server/envelope/json_keys.h"

#include <bit>
#include <cstring>

#include "server/envelope/json_escape.h"

namespace postrider::envelope {
namespace {

// Up to this many keys of an object are compared one by one, which is quicker than a set.
constexpr size_t kMaxLinearKeys = 24;

// Equal keys have equal tags.
uint64_t KeyTag(absl::string_view key) {
  uint64_t tag = 0;
  if (key.size() >= 8) {
    uint64_t tail = 0;
    std::memcpy(&tag, key.data(), 8);
    std::memcpy(&tail, key.data() + key.size() - 8, 8);
    tag ^= std::rotl(tail, 29);
  } else if (key.size() >= 4) {
    uint32_t head = 0;
    uint32_t tail = 0;
    std::memcpy(&head, key.data(), 4);
    std::memcpy(&tail, key.data() + key.size() - 4, 4);
    tag = head | (uint64_t{tail} << 32);
  } else {
    for (char c : key) tag = (tag << 8) | static_cast<unsigned char>(c);
  }
  return tag ^ (uint64_t{key.size()} << 56);
}

}  // namespace

void JsonKeys::CloseObject() {
  keys_.resize(objects_.back().first_key);
  objects_.pop_back();
}

bool JsonKeys::Add(std::string_view raw, bool escaped) {
  absl::string_view key(raw.data(), raw.size());
  if (escaped) key = decoded_.emplace_front(DecodeJsonString(raw));
  Object& object = objects_.back();
  if (object.many != nullptr) return object.many->insert(key).second;
  const uint64_t tag = KeyTag(key);
  for (size_t i = object.first_key; i < keys_.size(); ++i) {
    if (keys_[i].tag == tag && keys_[i].text == key) return false;
  }
  keys_.push_back(Key{tag, key});
  if (keys_.size() - object.first_key > kMaxLinearKeys) {
    object.many = std::make_unique<KeySet>();
    object.many->reserve(2 * kMaxLinearKeys);
    for (size_t i = object.first_key; i < keys_.size(); ++i) object.many->insert(keys_[i].text);
    keys_.resize(object.first_key);
  }
  return true;
}

}  // namespace postrider::envelope
