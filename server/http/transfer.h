// Internal to server/http: includes libcurl.
#ifndef POSTRIDER_SERVER_HTTP_TRANSFER_H_
#define POSTRIDER_SERVER_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/http/ip_address.h"
#include "server/http/lookup_gate.h"
#include "server/http/loop.h"
#include "server/http/request.h"
#include "server/http/response_reader.h"
#include "server/http/sockets.h"

namespace postrider::http {

// One libcurl easy handle with everything set that is the same for all requests, used for one
// request after the other, and the callbacks that guard it. Lives on the loop's thread.
class Transfer {
 public:
  // All must outlive the transfer. `refusing` counts the transfers whose addresses are refused one
  // by one: libcurl takes one each time it is called, and would wait before it takes the next.
  Transfer(const LoopOptions& options, LookupGate& lookups, Sockets& sockets, int& refusing);
  ~Transfer();

  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The transfer of a handle that was made here.
  static Transfer* Of(CURL* easy);

  // Makes the handle ready for this request. False if the request cannot be sent as it is; Finish()
  // then gives its result.
  bool Prepare(Request request);

  CURL* easy() const { return easy_; }
  const Request& request() const { return request_; }

  // The transfer ended without being sent, because its name must be looked up and may not be now.
  bool lookup_refused() const { return lookup_refused_; }
  // The name under which the lookup is counted.
  const std::string& lookup_name() const;
  // Whether the transfer has a lookup under way; ends with the first address that is tried.
  bool owns_lookup() const { return owns_lookup_; }

  // The transfer ended because it only looked at the addresses of its name, which are all allowed.
  bool inspected(CURLcode code) const;
  // Makes the handle ready to go on after that, with what is left of its time.
  void PrepareToConnect();

  // Whether far more has come than a response may have: libcurl 7.88 takes in chunk extensions
  // without end and tells only its log of them. To be called now and then while the transfer runs;
  // from the first call on it is watched, which costs time that a quick transfer need not spend.
  // When it is true the transfer is to be ended.
  bool IsFlooded();

  // Gives the request back, for another try.
  Request TakeRequest();

  // The result of the request, after the handle was removed from its multi handle. `code` is
  // libcurl's.
  Result Finish(CURLcode code);

 private:
  // What our own callbacks stopped the transfer for.
  enum class Verdict {
    kNone,
    kBadRequest,
    kBlocked,
    kSecondSend,
    kPeerGone,
    kHeadersTooLarge,
    kBodyCapped,
    kFlooded
  };

  static int OnLookup(void* resolver, void* reserved, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int OnRequest(void* self, char* remote_ip, char* local_ip, int remote_port,
                       int local_port);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static int OnDebug(CURL* easy, curl_infotype type, char* data, size_t size, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);

  void SetFixedOptions();
  void SetTimeouts();
  // Whether the host's addresses come from a name server.
  bool has_looked_up_host() const;
  bool MayHaveAnotherAddress() const;
  // For an address that is not connected to; and the end of a series of those.
  curl_socket_t Refuse();
  void EndRefusal();
  void Clear();
  bool BuildHeaders();
  void LookupSucceeded();
  Phases ReadPhases() const;
  void Explain(CURLcode code, Result* result);

  const LoopOptions& options_;
  LookupGate& lookups_;
  Sockets& sockets_;
  int& refusing_transfers_;
  CURL* easy_;
  char error_buffer_[CURL_ERROR_SIZE];
  // The request's header list. Built in place: libcurl only reads it, and building it with
  // curl_slist_append would take two allocations a header.
  std::vector<std::string> lines_;
  std::vector<curl_slist> list_;

  Request request_;
  Verdict verdict_;
  bool lookup_refused_;
  bool owns_lookup_;
  // Addresses are only looked at, and refused: until all that the name has were seen, none is
  // connected to. Those that were seen.
  bool inspecting_;
  std::vector<IpAddress> inspected_;
  // The time that went into that, nearly all of it the lookup.
  absl::Duration inspection_;
  bool refusing_ = false;  // counted
  bool opened_socket_;
  bool socket_failed_;
  bool none_left_;  // because there are no more
  int send_count_;
  bool watched_ = false;
  size_t watched_bytes_;
  std::string remote_address_;
  ResponseReader response_;
};

// The result of a request that is not one that can be sent.
Result UnsendableResult(uint64_t id);

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_TRANSFER_H_
