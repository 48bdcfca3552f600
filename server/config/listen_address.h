// Addresses to listen on, and who can reach them.

#pragma once

#include <string>

namespace postrider::config {

// Empty: HOST:PORT or unix:PATH. Else what is wrong, as "must be ...".
std::string CheckListenAddress(const std::string& address);

// Of an address that CheckListenAddress finds good.
bool IsUnixAddress(const std::string& address);
// Whether nobody outside this machine reaches it: 127.0.0.0/8, ::1 and localhost. Another name may
// be anybody's.
bool IsLoopbackAddress(const std::string& address);
inline bool IsLocalAddress(const std::string& address) {
  return IsUnixAddress(address) || IsLoopbackAddress(address);
}

}  // namespace postrider::config
