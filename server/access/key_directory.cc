#include "server/access/key_directory.h"

#include <algorithm>
#include <vector>

#include "server/observe/log.h"

namespace postrider::access {

KeyDirectory::KeyDirectory(std::unique_ptr<ApiKeyReader> reader, KeyLimits limits)
    : limits_(limits), reader_(std::move(reader)) {}

absl::Status KeyDirectory::Start() {
  if (absl::Status read = Refresh(); !read.ok()) return read;
  thread_ = NamedThread("keys", [this] { Follow(); });
  return absl::OkStatus();
}

void KeyDirectory::Stop() {
  if (stop_.stopped()) return;
  stop_.Stop();
  thread_.Join();
  NoteUses();
}

void KeyDirectory::Follow() {
  Instant next_note = MonotonicNow() + kNoteUses;
  while (stop_.WaitFor(kPoll)) {
    if (absl::Status read = Refresh(); !read.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot follow the API keys",
                           {{"error", std::string(read.message())}});
    }
    if (MonotonicNow() < next_note) continue;
    NoteUses();
    next_note = MonotonicNow() + kNoteUses;
  }
}

void KeyDirectory::TellOfReadings(std::function<void()> told) {
  absl::MutexLock lock(&mutex_);
  told_ = std::move(told);
}

absl::Status KeyDirectory::Refresh() {
  if (absl::Status read = Read(); !read.ok()) return read;
  std::function<void()> told;
  {
    absl::ReaderMutexLock lock(&mutex_);
    told = told_;
  }
  if (told != nullptr) told();
  return absl::OkStatus();
}

absl::Status KeyDirectory::Read() {
  absl::MutexLock read_lock(&reading_);
  const Instant started = MonotonicNow();
  absl::StatusOr<ApiKeyChanges> changes = reader_->ChangesSince(position_);
  if (!changes.ok()) return changes.status();
  {
    absl::MutexLock lock(&mutex_);
    for (KnownApiKey& known : changes->keys) {
      const auto it = keys_.find(known.key.id);
      if (known.revoked) {
        if (it == keys_.end()) continue;
        it->second->revoked = true;
        const auto named = by_certificate_.find(it->second->known.key.certificate_san);
        // Its name may be another key's by now.
        if (named != by_certificate_.end() && named->second == it->second) {
          by_certificate_.erase(named);
        }
        keys_.erase(it);
      } else if (it == keys_.end()) {
        auto key = std::make_shared<KeyInUse>(std::move(known), limits_);
        if (!key->known.key.certificate_san.empty()) {
          by_certificate_[key->known.key.certificate_san] = key;
        }
        keys_[key->id()] = key;
      }
    }
  }
  position_ = changes->position;
  read_at_nanos_ = absl::ToInt64Nanoseconds(started);
  return absl::OkStatus();
}

std::shared_ptr<KeyInUse> KeyDirectory::Find(ApiKeyId id) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto it = keys_.find(id);
  return it == keys_.end() ? nullptr : it->second;
}

std::shared_ptr<KeyInUse> KeyDirectory::FindByCertificate(const std::string& san) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto it = by_certificate_.find(san);
  return it == by_certificate_.end() ? nullptr : it->second;
}

void KeyDirectory::NoteUses() {
  std::vector<std::shared_ptr<KeyInUse>> used;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [id, key] : keys_) {
      if (key->last_use_micros > key->noted_use_micros) used.push_back(key);
    }
  }
  // A batch is one statement, so that none grows with the number of keys.
  constexpr size_t kBatch = 1000;
  for (size_t begin = 0; begin < used.size(); begin += kBatch) {
    std::vector<std::pair<ApiKeyId, absl::Time>> uses;
    for (size_t i = begin; i < std::min(used.size(), begin + kBatch); ++i) {
      uses.emplace_back(used[i]->id(), absl::FromUnixMicros(used[i]->last_use_micros));
    }
    absl::MutexLock read_lock(&reading_);
    if (absl::Status noted = reader_->NoteUses(uses); !noted.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot note the last use of API keys",
                           {{"error", std::string(noted.message())}});
      return;
    }
    for (size_t i = 0; i < uses.size(); ++i) {
      used[begin + i]->noted_use_micros = absl::ToUnixMicros(uses[i].second);
    }
  }
}

}  // namespace postrider::access
