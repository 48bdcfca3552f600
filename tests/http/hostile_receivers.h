#ifndef POSTRIDER_TESTS_HTTP_HOSTILE_RECEIVERS_H_
#define POSTRIDER_TESTS_HTTP_HOSTILE_RECEIVERS_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/http/request.h"
#include "tests/http/scripted_receiver.h"
#include "tests/http/tls_receiver.h"

namespace postrider::http {

// How an attempt at a receiver must end.
struct Ending {
  TransferError error;
  int status = 0;
};

// One way in which a receiver does not behave, over plain HTTP and over TLS alike.
struct HostileReceiver {
  std::string name;
  ScriptedReceiver::Script script;
  Ending ending;
  // Where it differs over TLS.
  std::optional<Ending> tls_ending = std::nullopt;
  // Whether the script reads the request, so that it can be counted.
  bool reads = true;
  // Whether it leaves its connection open after the answer.
  bool keeps_open = false;
};

// The table. Receivers that take their time take more than the 2 s that attempts at them may take.
std::vector<HostileReceiver> HostileReceivers();

// One way in which a receiver does not get as far as HTTP.
struct HostileHandshake {
  std::string name;
  TlsReceiver::Options options;
  Ending ending;
  std::string host = "localhost";
};
std::vector<HostileHandshake> HostileHandshakes();

// Receivers of https:// URLs that speak no TLS, or break off in its middle.
std::vector<HostileReceiver> BrokenHandshakes();

// One receiver of the tables that runs, and how an attempt at it must end.
struct RunningReceiver {
  std::string name;
  std::string url;
  Ending ending;
  bool reads = true;
  bool keeps_open = false;
  std::unique_ptr<ScriptedReceiver> plain;
  std::unique_ptr<TlsReceiver> tls;
  int sends = 0;

  int requests() const { return plain != nullptr ? plain->requests() : tls->requests(); }
};

// All of the tables, plain and TLS, on ports of their own of 127.0.0.1. The authority must outlive
// them.
std::vector<RunningReceiver> StartHostileReceivers(const TestAuthority& authority);

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_HOSTILE_RECEIVERS_H_
