// Which keys the objects that are open already have.

#ifndef POSTRIDER_SERVER_ENVELOPE_JSON_KEYS_H_
#define POSTRIDER_SERVER_ENVELOPE_JSON_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

namespace postrider::envelope {

// Finds a key that comes twice in one object, while a text is walked once from front to back. Keeps
// views into that text, which must outlive it. Thread-compatible.
class JsonKeys {
 public:
  void OpenObject() { objects_.push_back(Object{keys_.size(), nullptr}); }
  void CloseObject();

  // Adds a key of the innermost open object; `raw` stands between its quotes, `escaped` says that
  // there are escapes in it. False if the object has that key, compared as decoded.
  bool Add(std::string_view raw, bool escaped);

 private:
  using KeySet = absl::flat_hash_set<absl::string_view>;
  struct Object {
    size_t first_key;              // its keys in keys_ follow from here
    std::unique_ptr<KeySet> many;  // all its keys, once there are more than a few
  };
  struct Key {
    uint64_t tag;  // tells most different keys apart without touching their bytes again
    absl::string_view text;
  };

  absl::InlinedVector<Object, 8> objects_;  // outermost first
  absl::InlinedVector<Key, 32> keys_;       // of all open objects that have few
  std::forward_list<std::string> decoded_;  // keys with escapes, which must not move
};

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_JSON_KEYS_H_
