#ifndef POSTRIDER_TESTS_STORAGE_EMBEDDED_TEMP_FOLDER_H_
#define POSTRIDER_TESTS_STORAGE_EMBEDDED_TEMP_FOLDER_H_

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

namespace postrider::embedded {

// A new folder, removed with everything in it at the end. In memory if that has 1 GiB to spare: a
// cluster is a thousand files, and making, syncing and removing them on a busy disk takes minutes.
class TempFolder {
 public:
  TempFolder() {
    struct statvfs memory;
    const bool in_memory = ::statvfs("/dev/shm", &memory) == 0 &&
                           memory.f_bavail * memory.f_frsize >= (uint64_t{1} << 30);
    path_ = std::string(in_memory ? "/dev/shm" : "/tmp") + "/postrider-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) ::abort();
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The permission bits of a file or folder; 0 when there is none.
inline unsigned ModeOf(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

}  // namespace postrider::embedded

#endif  // POSTRIDER_TESTS_STORAGE_EMBEDDED_TEMP_FOLDER_H_
