// A table of API keys whose changes the test says, and the reader that a KeyDirectory has of it.

#ifndef POSTRIDER_TESTS_ACCESS_KEY_TABLE_H_
#define POSTRIDER_TESTS_ACCESS_KEY_TABLE_H_

#include <utility>
#include <vector>

#include "storage/api_key_store.h"

namespace postrider::access {

struct KeyTable {
  std::vector<KnownApiKey> changes;  // for the next reading
  bool broken = false;
  int64_t position = 0;
  std::vector<int64_t> asked;
  std::vector<std::pair<ApiKeyId, absl::Time>> uses;
};

// Not thread-safe, nor is the table.
class KeyTableReader : public ApiKeyReader {
 public:
  explicit KeyTableReader(KeyTable& table) : table_(table) {}

  absl::StatusOr<ApiKeyChanges> ChangesSince(int64_t position) override {
    table_.asked.push_back(position);
    if (table_.broken) return absl::UnavailableError("no database");
    return ApiKeyChanges{std::exchange(table_.changes, {}), ++table_.position};
  }
  absl::Status NoteUses(const std::vector<std::pair<ApiKeyId, absl::Time>>& uses) override {
    table_.uses.insert(table_.uses.end(), uses.begin(), uses.end());
    return absl::OkStatus();
  }

 private:
  KeyTable& table_;
};

}  // namespace postrider::access

#endif  // POSTRIDER_TESTS_ACCESS_KEY_TABLE_H_
