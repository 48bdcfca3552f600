#include "tests/simulation/fiber.h"

#include <ucontext.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace postrider::simulation {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

// Stacks are used again: a run makes thousands of fibers, but has few at a time.
std::vector<std::unique_ptr<char[]>>& FreeStacks() {
  static std::vector<std::unique_ptr<char[]>> stacks;
  return stacks;
}

std::unique_ptr<char[]> TakeStack() {
  auto& free = FreeStacks();
  if (free.empty()) return std::unique_ptr<char[]>(new char[kStackBytes]);
  std::unique_ptr<char[]> stack = std::move(free.back());
  free.pop_back();
  return stack;
}

Fiber* current = nullptr;

}  // namespace

struct Fiber::State {
  std::function<void()> body;
  std::unique_ptr<char[]> stack;
  ucontext_t own{};
  ucontext_t resumer{};
  bool ended = false;

  static void Enter(uint32_t high, uint32_t low) {
    auto* state =
        reinterpret_cast<State*>(static_cast<uintptr_t>(high) << 32 | static_cast<uintptr_t>(low));
    state->body();
    state->ended = true;
  }
};

Fiber::Fiber(std::function<void()> body) : state_(std::make_unique<State>()) {
  state_->body = std::move(body);
}

Fiber::~Fiber() {
  if (state_->stack != nullptr) FreeStacks().push_back(std::move(state_->stack));
}

void Fiber::Resume() {
  if (state_->stack == nullptr) {
    state_->stack = TakeStack();
    getcontext(&state_->own);
    state_->own.uc_stack.ss_sp = state_->stack.get();
    state_->own.uc_stack.ss_size = kStackBytes;
    state_->own.uc_link = &state_->resumer;
    const auto address = reinterpret_cast<uintptr_t>(state_.get());
    makecontext(&state_->own, reinterpret_cast<void (*)()>(&State::Enter), 2,
                static_cast<uint32_t>(address >> 32), static_cast<uint32_t>(address));
  }
  current = this;
  swapcontext(&state_->resumer, &state_->own);
  current = nullptr;
}

bool Fiber::ended() const { return state_->ended; }

Fiber* Fiber::Current() { return current; }

void Fiber::Yield() {
  Fiber* const self = current;
  swapcontext(&self->state_->own, &self->state_->resumer);
}

}  // namespace postrider::simulation
