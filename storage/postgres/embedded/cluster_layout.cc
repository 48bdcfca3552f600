#include "storage/postgres/embedded/cluster_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider::embedded {
namespace {

constexpr char kSocketName[] = "/.s.PGSQL.5432";
constexpr size_t kMaxSocketPath = 107;  // sun_path of unix(7), less its closing NUL.
constexpr absl::Duration kProbeTimeout = absl::Seconds(10);

// FNV-1a, 64 bit: the same in every run and on every machine, which absl::Hash is not.
uint64_t StableHash(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

SystemUser ToSystemUser(const struct passwd& entry) {
  return SystemUser{entry.pw_name, entry.pw_uid, entry.pw_gid};
}

std::optional<SystemUser> UserByName(const char* name) {
  struct passwd entry;
  struct passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  ::getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return ToSystemUser(*found);
}

// A user without an entry (a container may run under a bare number) is known by number alone.
SystemUser UserById(uid_t uid, gid_t gid) {
  struct passwd entry;
  struct passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return SystemUser{absl::StrCat(uid), uid, gid};
  return ToSystemUser(*found);
}

absl::StatusOr<std::optional<SystemUser>> ChooseUser(const ClusterLayout& layout) {
  const uid_t self = ::geteuid();
  struct stat data;
  if (::stat(layout.data.c_str(), &data) == 0) {
    if (self != 0 && data.st_uid != self) {
      return absl::FailedPreconditionError(absl::StrCat(layout.data, " belongs to the user ",
                                                        UserById(data.st_uid, data.st_gid).name,
                                                        ": start as that user"));
    }
    if (self == 0 && data.st_uid == 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          layout.data, " belongs to root, and PostgreSQL refuses to run as root: give it to the ",
          "user postgres (chown -R)"));
    }
    if (self == 0) return UserById(data.st_uid, data.st_gid);
    return std::nullopt;
  }
  if (errno != ENOENT) return SystemError(absl::StrCat("cannot look at ", layout.data));
  if (self != 0) return std::nullopt;
  for (const char* name : {"postrider", "postgres"}) {
    std::optional<SystemUser> user = UserByName(name);
    if (user.has_value() && user->uid != 0) return user;
  }
  return absl::FailedPreconditionError(
      "PostgreSQL refuses to run as root, and there is no user `postrider` or `postgres` to run it "
      "as: make one, or start the server as an ordinary user");
}

// None: there is no cluster yet.
absl::StatusOr<std::optional<int>> ClusterVersion(const std::string& data) {
  absl::StatusOr<std::string> text = ReadSmallFile(absl::StrCat(data, "/PG_VERSION"), 64);
  if (absl::IsNotFound(text.status())) {
    struct stat info;
    if (::stat(data.c_str(), &info) != 0) return std::nullopt;
    return absl::FailedPreconditionError(
        absl::StrCat(data, " is not a PostgreSQL data folder: move it away"));
  }
  if (!text.ok()) return text.status();
  int major = 0;
  if (!absl::SimpleAtoi(*text, &major)) {
    return absl::FailedPreconditionError(absl::StrCat(data, "/PG_VERSION holds no version"));
  }
  return major;
}

// Asked of the system as that user, since access lists can say other than the mode bits.
absl::Status CheckReachable(const std::string& folder, const SystemUser& user) {
  absl::StatusOr<ProgramResult> result =
      RunToEnd(ProgramCall{{"/usr/bin/test", "-x", folder}, user}, "", kProbeTimeout);
  if (!result.ok()) return result.status();
  if (result->exit_code == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the user ", user.name, ", as whom PostgreSQL runs, cannot reach ", folder,
      ": let others pass through the folders above it (chmod o+x), or use another data folder"));
}

}  // namespace

std::string SocketFolderFor(const std::string& root, bool as_root) {
  const std::string usual = absl::StrCat(root, "/run");
  const bool plain = std::all_of(usual.begin(), usual.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '/' || c == '.' || c == '_' || c == '-' || c == '+';
  });
  if (plain && usual.size() + sizeof(kSocketName) - 1 <= kMaxSocketPath) return usual;
  const char* parent = as_root && ::access("/run", W_OK) == 0 ? "/run" : "/tmp";
  return absl::StrFormat("%s/postrider-%016x", parent, StableHash(root));
}

absl::Status MakePrivateFolder(const std::string& path, const std::optional<SystemUser>& owner) {
  const uid_t self = ::geteuid();
  const uid_t wanted = owner.has_value() ? owner->uid : self;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError(absl::StrCat("cannot create the folder ", path));
  }
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return SystemError(absl::StrCat("cannot look at ", path));
  if (!S_ISDIR(info.st_mode) || (info.st_uid != wanted && info.st_uid != self)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a folder of the user ",
                     owner.has_value() ? owner->name : UserById(self, 0).name, ": move it away"));
  }
  if ((info.st_mode & 07777) != 0700 && ::chmod(path.c_str(), 0700) != 0) {
    return SystemError(absl::StrCat("cannot set the mode of ", path));
  }
  if (info.st_uid != wanted && ::lchown(path.c_str(), wanted, owner->gid) != 0) {
    return SystemError(absl::StrCat("cannot give ", path, " to the user ", owner->name));
  }
  return absl::OkStatus();
}

absl::StatusOr<ClusterLayout> PrepareLayout(const std::string& data_dir) {
  ClusterLayout layout;
  layout.root = absl::StrCat(data_dir, "/postgres");
  layout.data = absl::StrCat(layout.root, "/data");
  layout.building = absl::StrCat(layout.root, "/data.new");
  layout.log_file = absl::StrCat(layout.root, "/postgres.log");
  const bool as_root = ::geteuid() == 0;
  layout.socket_folder = SocketFolderFor(layout.root, as_root);

  const mode_t mode = as_root ? 0711 : 0700;
  if (::mkdir(layout.root.c_str(), mode) != 0 && errno != EEXIST) {
    return SystemError(absl::StrCat("cannot create the folder ", layout.root));
  }
  if (::chmod(layout.root.c_str(), mode) != 0) {
    return SystemError(absl::StrCat("cannot set the mode of ", layout.root));
  }
  absl::StatusOr<std::optional<SystemUser>> user = ChooseUser(layout);
  if (!user.ok()) return user.status();
  layout.run_as = *std::move(user);
  absl::StatusOr<std::optional<int>> major = ClusterVersion(layout.data);
  if (!major.ok()) return major.status();
  layout.major = *major;
  if (layout.run_as.has_value()) {
    absl::Status reachable = CheckReachable(layout.root, *layout.run_as);
    if (!reachable.ok()) return reachable;
  }
  return layout;
}

absl::Status PrepareSocketFolder(const ClusterLayout& layout) {
  absl::Status made = MakePrivateFolder(layout.socket_folder, layout.run_as);
  if (!made.ok()) return made;
  const std::string socket = absl::StrCat(layout.socket_folder, kSocketName);
  ::unlink(socket.c_str());
  ::unlink(absl::StrCat(socket, ".lock").c_str());
  return absl::OkStatus();
}

void RemoveSocketFolder(const ClusterLayout& layout) {
  if (layout.socket_folder != absl::StrCat(layout.root, "/run")) {
    ::rmdir(layout.socket_folder.c_str());
  }
}

}  // namespace postrider::embedded
