// A call stack of its own on the one thread of a simulation: code that waits for a store's answer
// gives the thread back, and goes on when the answer is there.

#pragma once

#include <functional>
#include <memory>

namespace postrider::simulation {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  // It must have ended, or never have begun.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs it until it yields or ends. Not from within a fiber.
  void Resume();
  bool ended() const;

  // The one that runs, or null.
  static Fiber* Current();
  // Back to whoever resumed the current one.
  static void Yield();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace postrider::simulation
