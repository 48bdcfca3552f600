#include "tools/postrider/read_input.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace postrider::cli {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;

struct FileCloser {
  void operator()(FILE* file) const {
    if (file != stdin) fclose(file);
  }
};

}  // namespace

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  const bool is_stdin = path == "-";
  const std::unique_ptr<FILE, FileCloser> file(is_stdin ? stdin : fopen(path.c_str(), "rb"));
  const std::string name = is_stdin ? "standard input" : absl::StrCat("'", path, "'");
  if (file == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("cannot open ", name, ": ", strerror(errno)));
  }
  std::string text;
  while (true) {
    const size_t size = text.size();
    text.resize(size + kChunkBytes);
    text.resize(size + fread(text.data() + size, 1, kChunkBytes, file.get()));
    if (text.size() > kMaxInputBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is larger than ", kMaxInputBytes, " bytes"));
    }
    if (ferror(file.get()) != 0) {
      return absl::InvalidArgumentError(absl::StrCat("cannot read ", name, ": ", strerror(errno)));
    }
    if (feof(file.get()) != 0) return text;
  }
}

}  // namespace postrider::cli
