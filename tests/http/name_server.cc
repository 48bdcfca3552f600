#include "tests/http/name_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace postrider::http {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr int kTypeA = 1;
constexpr int kTypeCname = 5;
constexpr int kTypeAaaa = 28;

std::string Number16(int value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string EncodeName(const std::string& name) {
  std::string bytes;
  for (const absl::string_view label : absl::StrSplit(name, '.')) {
    bytes.push_back(static_cast<char>(label.size()));
    absl::StrAppend(&bytes, label);
  }
  bytes.push_back('\0');
  return bytes;
}

std::string Record(const std::string& name, int type, uint32_t ttl, const std::string& value) {
  return absl::StrCat(EncodeName(name), Number16(type), Number16(1),
                      Number16(static_cast<int>(ttl >> 16)), Number16(ttl & 0xffff),
                      Number16(static_cast<int>(value.size())), value);
}

// The bytes of an address of this type; "" for one of the other type.
std::string AddressBytes(const std::string& text, int type) {
  char bytes[16];
  if (inet_pton(type == kTypeA ? AF_INET : AF_INET6, text.c_str(), bytes) != 1) return "";
  return std::string(bytes, type == kTypeA ? 4 : 16);
}

}  // namespace

NameServer::NameServer()
    : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), wake_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int room = 4 << 20;
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    std::perror("bind of the name server");
    std::abort();
  }
  thread_ = std::thread(&NameServer::Serve, this);
}

NameServer::~NameServer() {
  const uint64_t one = 1;
  if (write(wake_, &one, sizeof(one)) != sizeof(one)) std::abort();
  thread_.join();
  close(fd_);
  close(wake_);
}

void NameServer::Set(const std::string& name, Zone zone) {
  absl::MutexLock lock(&mutex_);
  zones_[name] = std::move(zone);
}

void NameServer::SetSuffix(const std::string& suffix, Zone zone) {
  absl::MutexLock lock(&mutex_);
  suffixes_[suffix] = std::move(zone);
}

int NameServer::lookups(const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto it = lookups_[0].find(name);
  return it == lookups_[0].end() ? 0 : it->second;
}

void NameServer::Serve() {
  for (;;) {
    pollfd ready[] = {{fd_, POLLIN, 0}, {wake_, POLLIN, 0}};
    poll(ready, 2, -1);
    if (ready[1].revents != 0) return;
    char query[1500];
    sockaddr_in client = {};
    socklen_t length = sizeof(client);
    auto* const generic = reinterpret_cast<sockaddr*>(&client);
    const ssize_t size = recvfrom(fd_, query, sizeof(query), 0, generic, &length);
    if (size <= static_cast<ssize_t>(kHeaderBytes)) continue;
    const std::string answer = Answer({query, static_cast<size_t>(size)});
    if (!answer.empty()) sendto(fd_, answer.data(), answer.size(), 0, generic, length);
  }
}

std::string NameServer::Answer(std::string_view query) {
  std::string name;
  size_t at = kHeaderBytes;
  while (at < query.size() && query[at] != '\0') {
    const size_t size = static_cast<uint8_t>(query[at]);
    absl::StrAppend(&name, name.empty() ? "" : ".", std::string(query.substr(at + 1, size)));
    at += 1 + size;
  }
  const size_t question_end = at + 5;
  if (question_end > query.size()) return "";
  const int type = static_cast<uint8_t>(query[at + 1]) << 8 | static_cast<uint8_t>(query[at + 2]);

  absl::MutexLock lock(&mutex_);
  const int number = type == kTypeA || type == kTypeAaaa ? lookups_[type == kTypeAaaa][name]++ : 0;
  Zone zone;
  zone.error = 3;
  for (const auto& [suffix, of_suffix] : suffixes_) {
    if (absl::EndsWith(name, suffix)) zone = of_suffix;
  }
  if (const auto it = zones_.find(name); it != zones_.end()) zone = it->second;
  if (zone.silent) return "";

  std::string records;
  int count = 0;
  std::string owner = name;
  for (const std::string& next : zone.chain) {
    records += Record(owner, kTypeCname, zone.ttl, EncodeName(next));
    owner = next;
    ++count;
  }
  if (!zone.answers.empty()) {
    const size_t turn = std::min<size_t>(number, zone.answers.size() - 1);
    for (const std::string& address : zone.answers[turn]) {
      const std::string bytes = AddressBytes(address, type);
      if (bytes.empty()) continue;
      records += Record(owner, type, zone.ttl, bytes);
      ++count;
    }
  }
  if (zone.garbage) {
    records = "\xc0\xff\xc0\xff\xff\xff";
    count = 9;
  }
  return absl::StrCat(
      std::string(query.substr(0, 2)), "\x81", std::string(1, static_cast<char>(0x80 | zone.error)),
      Number16(1), Number16(count), Number16(0), Number16(0),
      std::string(query.substr(kHeaderBytes, question_end - kHeaderBytes)), records);
}

}  // namespace postrider::http
