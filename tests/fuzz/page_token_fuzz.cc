// Page tokens: one that passes for a list is the very token that the list gives for that row.

#include <cstring>
#include <string>

#include "server/rpc/page_token.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace postrider;  // NOLINT: what is tried here
  int32_t page_size = 0;
  const size_t head = std::min(size, sizeof(page_size));
  std::memcpy(&page_size, data, head);
  const std::string token(fuzz::TextOf(data + head, size - head));
  // A list whose filter is the same all the time, so that a mutated token can hit it.
  rpc::FieldErrors errors;
  const PageRequest page = rpc::CheckPage(page_size, token, "list", errors);
  FUZZ_EXPECT(page.size >= 1 && page.size <= rpc::kMaxPageSize);
  FUZZ_EXPECT(page_size >= 0 || !errors.empty());
  if (page.after) {
    const std::string made = rpc::MakePageToken(*page.after, "list");
    rpc::FieldErrors none;
    const PageRequest again = rpc::CheckPage(0, made, "list", none);
    FUZZ_EXPECT(none.empty() && again.after == page.after);
    rpc::CheckPage(0, made, "another list", none);
    FUZZ_EXPECT(!none.empty());
  } else {
    FUZZ_EXPECT(token.empty() || !errors.empty());
  }
  return 0;
}
