// What the fuzz targets have in common.

#ifndef POSTRIDER_TESTS_FUZZ_FUZZ_TARGET_H_
#define POSTRIDER_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Ends the run as a finding when a promise does not hold for this input.
#define FUZZ_EXPECT(condition)                                                            \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

namespace postrider::fuzz {

inline std::string_view TextOf(const uint8_t* data, size_t size) {
  return std::string_view(reinterpret_cast<const char*>(data), size);
}

// Whether `message` repeats 12 bytes of `secret`, those that are words of our own apart: a fuzzer
// finds our sentences and feeds them back.
inline bool Repeats(std::string_view message, std::string_view secret, std::string_view own_words) {
  constexpr size_t kTelling = 12;
  for (size_t at = 0; at + kTelling <= secret.size(); ++at) {
    const std::string_view piece = secret.substr(at, kTelling);
    if (message.find(piece) != std::string_view::npos &&
        own_words.find(piece) == std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace postrider::fuzz

#endif  // POSTRIDER_TESTS_FUZZ_FUZZ_TARGET_H_
