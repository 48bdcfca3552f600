// A loop: a mailbox, and a core that acts on what was put into it. A thread of its own drives it,
// or whoever calls Step (a simulation has no threads).
//
// A core knows no threads. It has
//   using Input = ...;
//   // Acts on what was put since the last step, and gives the instant of the next one, unless
//   // something is put before. May be called earlier than that.
//   Instant Step(std::vector<Input> inputs);

#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/runtime/clock.h"
#include "server/runtime/mailbox.h"
#include "server/runtime/thread.h"

namespace postrider {

template <typename Core>
class Loop {
 public:
  using Input = typename Core::Input;

  // `name` is the thread's; the rest makes the core.
  template <typename... Args>
  explicit Loop(std::string name, Args&&... args)
      : name_(std::move(name)), core_(std::forward<Args>(args)...) {}
  ~Loop() { Stop(); }

  // Thread-safe; never block. False: stopped, and nothing was put.
  bool Put(Input input) { return inbox_.Put(std::move(input)); }
  bool PutAll(std::vector<Input> inputs) { return inbox_.PutAll(std::move(inputs)); }

  void Start() {
    thread_ = NamedThread(name_, [this] { Run(); });
  }
  // Takes nothing more, and ends when the core has nothing to do at once.
  void Stop() {
    inbox_.Close();
    thread_.Join();
  }

  // Instead of a thread: one step, without a wait.
  Instant Step() {
    std::vector<Input> inputs;
    inbox_.Take(absl::ZeroDuration(), inputs);
    return core_.Step(std::move(inputs));
  }
  bool has_input() const { return inbox_.size() > 0; }

  // Its thread-safe parts at any time, the rest while no thread runs.
  Core& core() { return core_; }
  const Core& core() const { return core_; }

 private:
  void Run() {
    std::vector<Input> inputs;
    Instant next = -absl::InfiniteDuration();
    while (inbox_.Take(next - MonotonicNow(), inputs) || next <= MonotonicNow()) {
      next = core_.Step(std::exchange(inputs, {}));
    }
  }

  const std::string name_;
  Core core_;
  Mailbox<Input> inbox_;
  NamedThread thread_;
};

}  // namespace postrider
