#include "tests/http/isolated_network.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace postrider::http {
namespace {

std::string Failure(const char* what) { return absl::StrCat(what, ": ", std::strerror(errno)); }

// Everybody in this mount namespace sees `text` in the file.
std::string CoverFile(const std::string& file, const std::string& text) {
  std::string cover = absl::StrCat(testing::TempDir(), "/isolated_network_XXXXXX");
  const int fd = mkstemp(cover.data());
  if (fd < 0) return Failure("mkstemp");
  close(fd);
  std::ofstream(cover) << text;
  const int mounted = mount(cover.c_str(), file.c_str(), nullptr, MS_BIND, nullptr);
  unlink(cover.c_str());
  return mounted == 0 ? "" : Failure(absl::StrCat("mount on ", file).c_str());
}

}  // namespace

std::string EnterIsolatedNetwork(const std::vector<std::string>& addresses) {
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return Failure("unshare");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Failure("mount");
  // One try of 3 s, so that threads of lookups that hang end soon after their test.
  std::string failure =
      CoverFile("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:3 attempts:1\n");
  if (failure.empty()) failure = CoverFile("/etc/nsswitch.conf", "hosts: files dns\n");
  if (!failure.empty()) return failure;
  std::string commands = "ip link set lo up";
  for (const std::string& address : addresses) {
    const bool is_v6 = address.find(':') != std::string::npos;
    absl::StrAppend(&commands, " && ip address add ", address, is_v6 ? "/128" : "/32", " dev lo",
                    is_v6 ? " nodad" : "");
  }
  return std::system(commands.c_str()) == 0 ? "" : "ip cannot set up the loopback device";
}

}  // namespace postrider::http
