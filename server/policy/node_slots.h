// Who may have the attempts that a node can run at once. As long as half of them are free anybody
// may; above that each endpoint has its fair share, and endpoints that fail never have more than
// half in all. So endpoints that answer slowly, or not at all, leave room for those that are well,
// however many attempts of theirs are waiting.
//
// Values in, values out. Not thread-safe.

#pragma once

namespace postrider::policy {

class NodeSlots {
 public:
  explicit NodeSlots(int total) : total_(total) {}

  // Whether one more attempt may start: of an endpoint that has `in_flight` of them, that failed
  // last or did not, while `endpoints` have work on this node (this one included).
  bool MayStart(int in_flight, bool failing, int endpoints) const;
  void OnStart(bool failing);
  // `failing` as it was told to OnStart.
  void OnEnd(bool failing);

  bool full() const { return in_use_ >= total_; }
  int in_use() const { return in_use_; }

 private:
  const int total_;
  int in_use_ = 0;
  int failing_ = 0;  // of those in use
};

}  // namespace postrider::policy
