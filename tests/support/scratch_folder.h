#ifndef POSTRIDER_TESTS_SUPPORT_SCRATCH_FOLDER_H_
#define POSTRIDER_TESTS_SUPPORT_SCRATCH_FOLDER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace postrider::testing {

// The folder of this test program for everything that it puts on disk, and the promise that nothing
// of it outlives the program, however that ends (exit, crash, kill -9): a small process of its own
// waits for the end, then ends every process that works in the folder or was given a path in it
// (servers, PostgreSQL) and removes it.
//
// It lies under $TMPDIR or /tmp, with mode 0711, as PostgreSQL runs as another user when the tests
// run as root. Made on first use; the program ends with a message if it cannot be made. First use
// belongs into the main thread. Thread-safe afterwards.
class ScratchFolder {
 public:
  static const std::string& Path();

  // A new folder inside, mode 0711, whose name begins with `name`. No two calls return the same.
  static std::string NewFolder(absl::string_view name);

  // Where a new file whose name begins with `name` may be made. No two calls return the same.
  static std::string NewFile(absl::string_view name);
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_SCRATCH_FOLDER_H_
