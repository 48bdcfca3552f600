#ifndef POSTRIDER_SERVER_HTTP_LOOP_H_
#define POSTRIDER_SERVER_HTTP_LOOP_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/http/destination.h"
#include "server/http/request.h"

namespace postrider::http {

struct LoopOptions {
  // Value of the User-Agent header. Printable ASCII.
  std::string user_agent = "Postrider";
  // Which addresses may be connected to.
  DestinationPolicy policy;
  // "http://host:port" of a proxy that everything is sent through; empty for none, and the
  // environment's http_proxy and no_proxy are never looked at. With a proxy the loop sees no
  // address but the proxy's, so the policy guards that one only (an internal proxy must be in its
  // allow list) and keeping receivers' addresses out of the own network is up to the proxy.
  std::string proxy;
  // PEM file of trusted certificates; empty for the system's.
  std::string ca_file;
  // Transfers under way and connections open, idle ones included. Each takes a file descriptor and,
  // while under way, about 30 KiB.
  int max_connections_total = 2048;
  // Transfers under way to one origin (host and port).
  int max_connections_per_origin = 256;
  // Name lookups under way; see LookupGate for who gets the places. Each takes a thread; a lookup
  // that outlives its transfer's timeout keeps the thread until the system's resolver gives up, but
  // not the place here.
  int max_lookups = 128;
  // Body bytes that are read before the connection is closed. What the response's status says still
  // holds then.
  size_t max_body_read_bytes = 64 * 1024;
  // Bytes of status lines and headers in all, 1xx responses and trailers counted, after which the
  // transfer fails.
  size_t max_header_bytes = 64 * 1024;
  // How long a connection may be idle and still be used again. Short, because a receiver that
  // closes its end just as the next request goes out costs that attempt.
  absl::Duration max_idle = absl::Seconds(20);
  // How long a connection is used before a new one takes its place, so that a changed address is
  // noticed even if the connection is never idle.
  absl::Duration max_connection_age = absl::Minutes(5);
};

// kInvalidArgument, naming the option, for limits that are not positive or contradict each other,
// a proxy that cannot be parsed, and a CA file that cannot be read. To be called before a Loop is
// made of the options; the Loop itself takes them as they are.
absl::Status CheckLoopOptions(const LoopOptions& options);

// Sends HTTP/1.1 POST requests and reports what became of them: thousands at once, on one thread
// (named "http"), plus one short-lived thread for every name lookup.
//
// - One request is one POST on one connection: redirects are not followed, nothing is retried. A
//   pooled connection that turns out to be dead after the request was begun ends the transfer as
//   kConnection with send_count 1, because the receiver may have read the request: libcurl's own
//   second try is refused.
// - Every address is judged by the policy right before a socket is opened to it, so that what a
//   name resolves to between a check and its use does not matter, and once more before the request
//   is put on a connection, pooled or new. One denied address ends the transfer as kBlocked, also
//   when the name has good addresses besides: nothing is connected to before all were judged.
// - HTTPS needs TLS 1.2, a trusted certificate and a matching name.
// - Success is error kNone with a 2xx status. A response that is longer than max_body_read_bytes
//   counts as complete; any other response that breaks off is an error.
// - One lookup per name at a time: requests that need the same lookup share its failure.
// - What waits inside the loop (for a connection slot or a lookup) is given back at its start_by.
//
// Send() and in_flight() are safe from any thread. Start() and Stop() belong to the owner.
class Loop {
 public:
  // Takes all results of one turn of the loop. Called on the loop's thread and must not block; it
  // may call Send(). After Stop() began, see there.
  using OnResults = std::function<void(std::vector<Result>)>;

  // Ends the process if libcurl cannot be set up at all (no memory, no descriptors).
  Loop(LoopOptions options, OnResults on_results);
  // Stops.
  ~Loop();

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Starts the thread; at most once. Requests sent before wait for it.
  void Start();

  // Hands over requests; never blocks. Every request gets exactly one result. There is no limit
  // here: whoever sends bounds what is in flight.
  void Send(std::vector<Request> requests);

  // Requests sent and not yet handed to OnResults.
  int in_flight() const;

  // Aborts what is left: each gets a result with kConnection and the text "stopped". Returns when
  // the thread has ended. Requests sent later, or to a loop that was never started, are answered
  // the same way on the thread that calls Send() or Stop(). Not to be called from OnResults.
  void Stop();

 private:
  class Mailbox;

  void Run();
  void End(std::vector<Request> taken);
  void Deliver(std::vector<Result> results);

  const OnResults on_results_;
  const std::unique_ptr<Mailbox> mailbox_;
  std::thread thread_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_LOOP_H_
