#ifndef POSTRIDER_TESTS_HTTP_FORWARD_H_
#define POSTRIDER_TESTS_HTTP_FORWARD_H_

#include <string>

#include "tests/http/scripted_receiver.h"

namespace postrider::http {

// Connects to 127.0.0.1, or to a unix socket; -1 if nobody listens.
int ConnectTo(int port);
int ConnectTo(const std::string& unix_path);

// Copies bytes between the two sockets, both ways, until one of them is closed.
void Forward(int one, int other);

// A small HTTP proxy: a script of a receiver. CONNECT to any name leads to `port` of 127.0.0.1;
// other requests are answered 200 by itself.
ScriptedReceiver::Script ProxyTo(int port);

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_FORWARD_H_
