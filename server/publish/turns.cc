#include "server/publish/turns.h"

#include <utility>

namespace postrider::publish {

const std::string& OrgOf(const Submission& submission) {
  static const std::string* const kNone = new std::string;
  return submission.events.empty() ? *kNone : submission.events.front().tenant.org_id;
}

void Turns::Push(Submission submission) {
  const auto [org, is_new] = waiting_.try_emplace(OrgOf(submission));
  if (is_new) turns_.push_back(org->first);
  org->second.push_back(std::move(submission));
}

void Turns::PutBack(Submission submission) {
  const auto [org, is_new] = waiting_.try_emplace(OrgOf(submission));
  if (is_new) turns_.push_front(org->first);
  org->second.push_front(std::move(submission));
}

Submission Turns::Pop() {
  const auto org = waiting_.find(turns_.front());
  Submission submission = std::move(org->second.front());
  org->second.pop_front();
  std::string name = std::move(turns_.front());
  turns_.pop_front();
  if (org->second.empty()) {
    waiting_.erase(org);
  } else {
    turns_.push_back(std::move(name));
  }
  return submission;
}

}  // namespace postrider::publish
