#include "server/http/transfer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/http/curl_error.h"
#include "server/runtime/clock.h"

namespace postrider::http {
namespace {

constexpr size_t kMaxErrorDetailBytes = 200;

// Bytes of a body, with all that frames it, that a transfer may take in once it is watched. The
// body itself is cut long before.
constexpr size_t kMaxWatchedBytes = 1 << 20;

// Headers that libcurl would add on its own; a name without a value keeps them out.
constexpr const char* kSuppressed[] = {"Accept:", "Content-Type:", "Expect:"};

constexpr absl::string_view kFramingHeaders[] = {
    "host",    "content-length", "transfer-encoding", "connection", "expect", "te",
    "trailer", "upgrade"};

bool IsTokenByte(char c) {
  return absl::ascii_isalnum(c) || (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

bool IsValidHeader(absl::string_view name, absl::string_view value) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsTokenByte) &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return !absl::ascii_iscntrl(c) || c == '\t'; }) &&
         std::none_of(
             std::begin(kFramingHeaders), std::end(kFramingHeaders),
             [&](absl::string_view framing) { return absl::EqualsIgnoreCase(name, framing); });
}

// 0 would mean "no timeout" to libcurl.
long ToMilliseconds(absl::Duration timeout) {
  timeout = std::clamp(timeout, absl::Milliseconds(1), kMaxTimeout);
  return static_cast<long>(absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1))));
}

absl::Duration GetTime(CURL* easy, CURLINFO info) {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, info, &microseconds);
  return absl::Microseconds(std::max<curl_off_t>(microseconds, 0));
}

absl::Duration Since(absl::Duration before, absl::Duration after) {
  return std::max(after - before, absl::ZeroDuration());
}

// Whether a socket was refused because this process or machine has no more: nobody else's fault.
bool MeansNoneLeft(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool SocketsAreLeft() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return !MeansNoneLeft(errno);
  close(fd);
  return true;
}

// libcurl's words, which may hold names of the receiver's certificate in any encoding, cut
// anywhere.
std::string Printable(absl::string_view text) {
  std::string printable(text.substr(0, kMaxErrorDetailBytes));
  for (char& c : printable) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return printable;
}

// Why a connect failed, where the system's error says something a customer can use.
absl::string_view ConnectFailure(long error) {
  switch (error) {
    case ECONNREFUSED:
      return "the connection was refused";
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "the host could not be reached";
    case ECONNRESET:
      return "the connection was reset";
    default:
      return "";
  }
}

}  // namespace

Transfer::Transfer(const LoopOptions& options, LookupGate& lookups, Sockets& sockets, int& refusing)
    : options_(options),
      lookups_(lookups),
      sockets_(sockets),
      refusing_transfers_(refusing),
      easy_(curl_easy_init()),
      response_(options.max_header_bytes, options.max_body_read_bytes) {
  lines_.assign(std::begin(kSuppressed), std::end(kSuppressed));
  Clear();
  if (easy_ != nullptr) SetFixedOptions();
}

Transfer::~Transfer() { curl_easy_cleanup(easy_); }

Transfer* Transfer::Of(CURL* easy) {
  void* self = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  return static_cast<Transfer*>(self);
}

void Transfer::SetFixedOptions() {
  const auto set = [this](CURLoption option, auto value) {
    curl_easy_setopt(easy_, option, value);
  };
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, error_buffer_);
  set(CURLOPT_NOSIGNAL, 1L);
  // A hanging name server must not hold up the loop when its transfer is removed.
  set(CURLOPT_QUICK_EXIT, 1L);

  // Where it may go. The empty strings keep the environment's proxy settings out, which would send
  // requests past the guard.
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, options_.proxy.c_str());
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  set(CURLOPT_RESOLVER_START_FUNCTION, &Transfer::OnLookup);
  set(CURLOPT_RESOLVER_START_DATA, static_cast<void*>(this));
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::OnOpenSocket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(CURLOPT_CLOSESOCKETFUNCTION, &Sockets::OnClose);
  set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&sockets_));
  set(CURLOPT_PREREQFUNCTION, &Transfer::OnRequest);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));

  // What is sent, and on what.
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_POST, 1L);
  set(CURLOPT_USERAGENT, options_.user_agent.c_str());
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_MAXAGE_CONN, static_cast<long>(absl::ToInt64Seconds(options_.max_idle)));
  set(CURLOPT_MAXLIFETIME_CONN,
      static_cast<long>(absl::ToInt64Seconds(options_.max_connection_age)));

  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  // libcurl reads the trusted certificates once, instead of for every connection, only when they
  // are one file and there is no folder of them besides.
  set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());

  // What is read.
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_DEBUGFUNCTION, &Transfer::OnDebug);
  set(CURLOPT_DEBUGDATA, static_cast<void*>(this));
}

void Transfer::Clear() {
  error_buffer_[0] = '\0';
  verdict_ = Verdict::kNone;
  lookup_refused_ = false;
  owns_lookup_ = false;
  inspecting_ = false;
  inspected_.clear();
  inspection_ = absl::ZeroDuration();
  opened_socket_ = false;
  socket_failed_ = false;
  none_left_ = false;
  send_count_ = 0;
  watched_bytes_ = 0;
  if (std::exchange(watched_, false)) curl_easy_setopt(easy_, CURLOPT_VERBOSE, 0L);
  remote_address_.clear();
  response_.Clear();
}

bool Transfer::BuildHeaders() {
  const size_t first = std::size(kSuppressed);
  const size_t count = first + request_.headers.size();
  if (lines_.size() < count) lines_.resize(count);
  for (size_t i = first; i < count; ++i) {
    const auto& [name, value] = request_.headers[i - first];
    if (!IsValidHeader(name, value)) return false;
    lines_[i].assign(name);
    // libcurl leaves out a header that ends with the colon; this is how it writes an empty one.
    if (absl::StripAsciiWhitespace(value).empty()) {
      lines_[i].append(";");
    } else {
      lines_[i].append(": ").append(value);
    }
  }
  list_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    list_[i] = {lines_[i].data(), i + 1 < count ? &list_[i + 1] : nullptr};
  }
  return true;
}

bool Transfer::Prepare(Request request) {
  Clear();
  request_ = std::move(request);
  if (easy_ == nullptr || request_.url.empty() || !BuildHeaders()) {
    verdict_ = Verdict::kBadRequest;
    return false;
  }
  const std::string* body = request_.body.get();
  curl_easy_setopt(easy_, CURLOPT_CURLU, request_.url.handle());
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, list_.data());
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(body == nullptr ? 0 : body->size()));
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body == nullptr ? "" : body->data());
  inspecting_ = has_looked_up_host();
  SetTimeouts();
  return true;
}

void Transfer::SetTimeouts() {
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, ToMilliseconds(request_.timeout - inspection_));
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS,
                   ToMilliseconds(request_.connect_timeout - inspection_));
}

bool Transfer::has_looked_up_host() const {
  return !options_.proxy.empty() || !(request_.url.is_address() || request_.url.is_localhost());
}

bool Transfer::inspected(CURLcode code) const {
  return code == CURLE_COULDNT_CONNECT && verdict_ == Verdict::kNone && inspecting_ &&
         !inspected_.empty();
}

bool Transfer::MayHaveAnotherAddress() const {
  return has_looked_up_host() ? inspected_.size() > 1 : request_.url.is_localhost();
}

curl_socket_t Transfer::Refuse() {
  if (!std::exchange(refusing_, true)) ++refusing_transfers_;
  return CURL_SOCKET_BAD;
}

void Transfer::EndRefusal() {
  if (std::exchange(refusing_, false)) --refusing_transfers_;
}

void Transfer::PrepareToConnect() {
  inspection_ += GetTime(easy_, CURLINFO_TOTAL_TIME_T);
  inspecting_ = false;
  EndRefusal();
  SetTimeouts();
}

const std::string& Transfer::lookup_name() const {
  return options_.proxy.empty() ? request_.url.host() : options_.proxy;
}

bool Transfer::IsFlooded() {
  if (!watched_) {
    watched_ = true;
    curl_easy_setopt(easy_, CURLOPT_VERBOSE, 1L);
  }
  if (watched_bytes_ <= kMaxWatchedBytes) return false;
  verdict_ = Verdict::kFlooded;
  return true;
}

int Transfer::OnDebug(CURL*, curl_infotype type, char*, size_t size, void* self_pointer) {
  if (type == CURLINFO_DATA_IN) static_cast<Transfer*>(self_pointer)->watched_bytes_ += size;
  return 0;
}

Request Transfer::TakeRequest() {
  EndRefusal();
  return std::exchange(request_, Request());
}

// Called by libcurl when a name is not in its cache and no pooled connection can be used.
int Transfer::OnLookup(void*, void*, void* self_pointer) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (self->options_.proxy.empty() && self->request_.url.is_address()) return 0;
  if (self->owns_lookup_) return 0;
  if (self->send_count_ > 0) {
    self->verdict_ = Verdict::kSecondSend;
    return 1;
  }
  // Whatever was seen before, the addresses may be others now.
  self->EndRefusal();
  self->inspecting_ = self->has_looked_up_host();
  self->inspected_.clear();
  self->owns_lookup_ = self->lookups_.Begin(self->lookup_name(), MonotonicNow());
  self->lookup_refused_ = !self->owns_lookup_;
  return self->lookup_refused_ ? 1 : 0;
}

void Transfer::LookupSucceeded() {
  if (!owns_lookup_) return;
  owns_lookup_ = false;
  lookups_.Succeeded(lookup_name(), MonotonicNow());
}

// The guard: called for every address that is about to be connected to, before any packet. For a
// name that a name server answered, twice: the first time all its addresses are judged and refused,
// so that the library goes through them to the end; one that is denied fails the attempt even if
// another one would have answered at once.
curl_socket_t Transfer::OnOpenSocket(void* self_pointer, curlsocktype purpose,
                                     curl_sockaddr* address) {
  auto* self = static_cast<Transfer*>(self_pointer);
  self->LookupSucceeded();
  if (self->send_count_ > 0) {  // The library tries again what was lost on a pooled connection.
    self->verdict_ = Verdict::kSecondSend;
    return CURL_SOCKET_BAD;
  }
  const std::optional<IpAddress> ip =
      IpAddress::FromSocketAddress(&address->addr, address->addrlen);
  if (self->verdict_ == Verdict::kBlocked || purpose != CURLSOCKTYPE_IPCXN || !ip ||
      !self->options_.policy.Allows(*ip, IpAddress::PortOf(&address->addr, address->addrlen))) {
    self->verdict_ = Verdict::kBlocked;
    return self->Refuse();
  }
  if (self->inspecting_) {
    self->inspected_.push_back(*ip);
    return self->Refuse();
  }
  // Another transfer's lookup may have taken the place of the addresses that were judged.
  if (self->has_looked_up_host() &&
      std::find(self->inspected_.begin(), self->inspected_.end(), *ip) == self->inspected_.end()) {
    return CURL_SOCKET_BAD;
  }
  const curl_socket_t fd = self->sockets_.Open(*address, /*more=*/self->MayHaveAnotherAddress());
  self->opened_socket_ = true;
  if (fd == CURL_SOCKET_BAD) {
    self->socket_failed_ = true;
    self->none_left_ = MeansNoneLeft(errno);
  }
  return fd;
}

// Called after connect and handshake, before every request, on pooled connections too.
int Transfer::OnRequest(void* self_pointer, char* remote_ip, char*, int remote_port, int) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (self->send_count_ > 0) {
    self->verdict_ = Verdict::kSecondSend;
    return CURL_PREREQFUNC_ABORT;
  }
  // The library could not ask for it any more: the other side has reset the connection by now.
  if (self->verdict_ == Verdict::kNone && (remote_ip == nullptr || *remote_ip == '\0')) {
    self->verdict_ = Verdict::kPeerGone;
    return CURL_PREREQFUNC_ABORT;
  }
  const absl::StatusOr<IpAddress> ip = IpAddress::Parse(remote_ip);
  if (self->verdict_ == Verdict::kBlocked || !ip.ok() ||
      !self->options_.policy.Allows(*ip, remote_port)) {
    self->verdict_ = Verdict::kBlocked;
    return CURL_PREREQFUNC_ABORT;
  }
  // A proxy's address is ours, and the receiver's is not known here.
  if (self->options_.proxy.empty()) {
    self->remote_address_ = ip->is_v4() ? absl::StrCat(remote_ip, ":", remote_port)
                                        : absl::StrCat("[", remote_ip, "]:", remote_port);
  }
  self->send_count_ = 1;
  return CURL_PREREQFUNC_OK;
}

size_t Transfer::OnHeader(char* data, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (self->response_.AddHeaderLine(absl::string_view(data, size * count))) return size * count;
  self->verdict_ = Verdict::kHeadersTooLarge;
  return CURL_WRITEFUNC_ERROR;
}

size_t Transfer::OnBody(char* data, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (self->response_.AddBody(absl::string_view(data, size * count))) return size * count;
  self->verdict_ = Verdict::kBodyCapped;
  return CURL_WRITEFUNC_ERROR;
}

void Transfer::Explain(CURLcode code, Result* result) {
  const ErrorKind kind = ClassifyCurlError(code);
  result->error = kind.error;
  result->error_text = std::string(kind.text);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      if (send_count_ > 0) {
        result->error_text = "no complete response in time";
      } else if (owns_lookup_) {
        result->error_text = "the name lookup took too long";
      } else {
        // The library does not tell a connection without a finished handshake from none.
        result->error_text = request_.url.is_https()
                                 ? "connecting or the TLS handshake took too long"
                                 : "connecting took too long";
      }
      break;
    case CURLE_COULDNT_CONNECT: {
      long error = 0;
      curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &error);
      const absl::string_view failure = ConnectFailure(error);
      if (!failure.empty()) {
        result->error_text = std::string(failure);
      } else if (socket_failed_) {
        result->error_text = "no socket could be opened";
      }
      break;
    }
    default:
      // The library's words say what was wrong with a certificate.
      if (kind.error == TransferError::kTls && error_buffer_[0] != '\0') {
        absl::StrAppend(&result->error_text, ": ", Printable(error_buffer_));
      }
  }
}

Phases Transfer::ReadPhases() const {
  const absl::Duration dns = GetTime(easy_, CURLINFO_NAMELOOKUP_TIME_T);
  const absl::Duration connect = GetTime(easy_, CURLINFO_CONNECT_TIME_T);
  const absl::Duration tls = GetTime(easy_, CURLINFO_APPCONNECT_TIME_T);
  const absl::Duration first_byte = GetTime(easy_, CURLINFO_STARTTRANSFER_TIME_T);
  if (owns_lookup_) return {.dns = inspection_ + GetTime(easy_, CURLINFO_TOTAL_TIME_T)};
  // On a pooled connection the first of them is when it was found.
  return {inspection_ + (opened_socket_ ? dns : absl::ZeroDuration()), Since(dns, connect),
          Since(connect, tls), Since(std::max({dns, connect, tls}), first_byte)};
}

Result Transfer::Finish(CURLcode code) {
  EndRefusal();
  if (verdict_ == Verdict::kBadRequest) return UnsendableResult(TakeRequest().id);
  Result result;
  result.id = request_.id;
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  result.status = response_.final_response() && status >= 200 ? static_cast<int>(status) : 0;
  result.duration = inspection_ + GetTime(easy_, CURLINFO_TOTAL_TIME_T);
  result.phases = ReadPhases();
  result.send_count = send_count_;
  result.remote_address = std::move(remote_address_);
  response_.MoveTo(&result);

  switch (verdict_) {
    case Verdict::kNone:
    case Verdict::kBadRequest:
      Explain(code, &result);
      // A lookup needs descriptors too, and does not say that it had none.
      if (send_count_ == 0 &&
          (none_left_ || (result.error == TransferError::kDns && !SocketsAreLeft()))) {
        result.error = TransferError::kNotStarted;
        result.error_text = "no file descriptors are left";
      }
      break;
    case Verdict::kBlocked:
      result.error = TransferError::kBlocked;
      result.error_text = "the destination's address is not allowed";
      result.remote_address.clear();
      break;
    case Verdict::kSecondSend:
      result.error = TransferError::kConnection;
      result.error_text = "the connection was closed while the request was sent";
      break;
    case Verdict::kPeerGone:
      result.error = TransferError::kConnection;
      result.error_text = "the connection was closed before the request was sent";
      break;
    case Verdict::kHeadersTooLarge:
      result.error = TransferError::kConnection;
      result.error_text = "response headers too large";
      break;
    case Verdict::kFlooded:
      result.error = TransferError::kConnection;
      result.error_text = "the response was too large";
      break;
    case Verdict::kBodyCapped:
      break;
  }
  // Two endings that libcurl calls good: 1xx alone, and headers that break off after a line.
  if (result.error == TransferError::kNone && (result.status == 0 || response_.in_header_block())) {
    result.error = TransferError::kConnection;
    result.error_text = "there was no complete response";
  }
  request_ = Request();
  return result;
}

Result UnsendableResult(uint64_t id) {
  Result result;
  result.id = id;
  result.error = TransferError::kConnection;
  result.error_text = "the request is not one that can be sent";
  return result;
}

}  // namespace postrider::http
