#include "tests/http/hostile_receivers.h"

#include <sys/socket.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace postrider::http {
namespace {

using std::string_literals::operator""s;
using Connection = ScriptedReceiver::Connection;
using Script = ScriptedReceiver::Script;

constexpr TransferError kNone = TransferError::kNone;
constexpr TransferError kConnection = TransferError::kConnection;
constexpr TransferError kTimeout = TransferError::kTimeout;
constexpr TransferError kTls = TransferError::kTls;

constexpr std::chrono::milliseconds kDripPause(30);

constexpr char kOk[] = "HTTP/1.1 200 OK\r\n";
constexpr char kEmpty[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr char kChunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

// Answers every request so, and goes on.
Script Answer(std::string bytes) {
  return [bytes](Connection& c) {
    while (c.ReadRequest() && c.Send(bytes)) {
    }
  };
}

// Answers the first request so, and closes.
Script AnswerAndClose(std::string bytes) {
  return [bytes](Connection& c) {
    c.ReadRequest();
    c.Send(bytes);
  };
}

Script AnswerAndReset(std::string bytes) {
  return [bytes](Connection& c) {
    c.ReadRequest();
    c.Send(bytes);
    c.ResetAtEnd();
  };
}

Script AnswerAndHang(std::string bytes) {
  return [bytes](Connection& c) {
    c.ReadRequest();
    c.Send(bytes);
    c.WaitForClose();
  };
}

Script Drip(std::string start, std::string again) {
  return [start, again](Connection& c) {
    c.ReadRequest();
    c.Send(start);
    c.Drip(again, kDripPause);
  };
}

Script Flood(std::string start, std::string again) {
  return [start, again](Connection& c) {
    c.ReadRequest();
    c.Send(start);
    while (c.Send(again)) {
    }
  };
}

std::string Status(int status, std::string_view headers = "") {
  return absl::StrCat("HTTP/1.1 ", status, " Word\r\n", std::string(headers),
                      "Content-Length: 0\r\n\r\n");
}

std::string Repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// HTTP/2 frames: SETTINGS, then GOAWAY and RST_STREAM of stream 1.
const std::string kSettings("\0\0\0\4\0\0\0\0\0", 9);
const std::string kGoAway("\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17);
const std::string kReset("\0\0\4\3\0\0\0\0\1\0\0\0\7", 13);

void Slow(std::vector<HostileReceiver>& all) {
  const std::string large(16384, 'x');
  all.push_back({"reads nothing and says nothing",
                 [](Connection& c) { c.WaitForClose(); },
                 {kTimeout},
                 {},
                 /*reads=*/false});
  all.push_back({"says nothing", AnswerAndHang(""), {kTimeout}});
  all.push_back({"drips its status line", Drip("", "H"), {kConnection}});
  all.push_back({"drips headers", Drip(kOk, "X-A: b\r\n"), {kTimeout, 200}});
  all.push_back({"drips one header", Drip(absl::StrCat(kOk, "X-A: "), "b"), {kTimeout, 200}});
  all.push_back({"stops within its headers", AnswerAndHang(kOk), {kTimeout, 200}});
  all.push_back({"drips its body",
                 Drip(absl::StrCat(kOk, "Content-Length: 9999\r\n\r\n"), "b"),
                 {kTimeout, 200}});
  all.push_back(
      {"drips a body without end", Drip(absl::StrCat(kOk, "\r\n"), "b"), {kTimeout, 200}});
  all.push_back({"drips chunks", Drip(kChunked, "1\r\nb\r\n"), {kTimeout, 200}});
  all.push_back(
      {"drips trailers", Drip(absl::StrCat(kChunked, "0\r\n"), "X-A: b\r\n"), {kTimeout, 200}});
  all.push_back({"drips 1xx responses", Drip("", "HTTP/1.1 102 Processing\r\n\r\n"), {kTimeout}});
  all.push_back({"stops within its body",
                 AnswerAndHang(absl::StrCat(kOk, "Content-Length: 10\r\n\r\nhello")),
                 {kTimeout, 200}});
  all.push_back(
      {"stops within a chunk", AnswerAndHang(absl::StrCat(kChunked, "5\r\nhe")), {kTimeout, 200}});
  all.push_back(
      {"stops after 100 Continue", AnswerAndHang("HTTP/1.1 100 Continue\r\n\r\n"), {kTimeout}});
}

void Large(std::vector<HostileReceiver>& all) {
  const std::string large(16384, 'x');
  const std::string chunk = absl::StrCat("4000\r\n", large, "\r\n");
  all.push_back({"endless body", Flood(absl::StrCat(kOk, "\r\n"), large), {kNone, 200}});
  all.push_back({"endless body of an announced size",
                 Flood(absl::StrCat(kOk, "Content-Length: 9223372036854775807\r\n\r\n"), large),
                 {kNone, 200}});
  all.push_back({"endless chunks", Flood(kChunked, chunk), {kNone, 200}});
  all.push_back(
      {"endless chunks of one byte", Flood(kChunked, Repeated("1\r\nx\r\n", 1000)), {kNone, 200}});
  all.push_back({"endless error page", Flood("HTTP/1.1 500 Oops\r\n\r\n", large), {kNone, 500}});
  all.push_back({"endless redirect page",
                 Flood("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", large),
                 {kNone, 302}});
  all.push_back({"gzip bomb",
                 Flood(absl::StrCat(kOk, "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08"), large),
                 {kNone, 200}});
  all.push_back({"gzip as transfer coding",
                 AnswerAndClose(absl::StrCat(kOk, "Transfer-Encoding: gzip\r\n\r\n\x1f\x8b\x08")),
                 {kNone, 200},
                 Ending{kNone, 200}});
  all.push_back({"endless headers", Flood(kOk, "X-Flood: 0123456789\r\n"), {kConnection, 200}});
  all.push_back(
      {"endless header", Flood(absl::StrCat(kOk, "X-Long: "), large), {kConnection, 200}});
  all.push_back({"endless header name", Flood(kOk, large), {kConnection, 200}});
  all.push_back({"endless status line", Flood("HTTP/1.1 200 ", large), {kConnection}});
  all.push_back({"endless bytes without a line", Flood("", large), {kConnection}});
  all.push_back({"endless empty lines", Flood("", Repeated("\r\n", 1000)), {kConnection}});
  all.push_back(
      {"endless 100 Continue", Flood("", "HTTP/1.1 100 Continue\r\n\r\n"), {kConnection}});
  all.push_back({"endless 103 Early Hints",
                 Flood("", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
                 {kConnection}});
  all.push_back({"endless trailers",
                 Flood(absl::StrCat(kChunked, "0\r\n"), "X-Trailer: 01234567\r\n"),
                 {kConnection, 200}});
  all.push_back(
      {"endless trailer", Flood(absl::StrCat(kChunked, "0\r\nX-T: "), large), {kConnection, 200}});
  all.push_back({"endless chunk size", Flood(kChunked, large), {kConnection, 200}});
  all.push_back(
      {"endless chunk extension", Flood(absl::StrCat(kChunked, "1;"), large), {kConnection, 200}});
  all.push_back({"endless cookies", Flood(kOk, "Set-Cookie: a=b; Path=/\r\n"), {kConnection, 200}});
  all.push_back({"a reason of 60 KB",
                 Answer(absl::StrCat("HTTP/1.1 200 ", std::string(60000, 'r'),
                                     "\r\nContent-Length: 0\r\n\r\n")),
                 {kNone, 200}});
}

void Broken(std::vector<HostileReceiver>& all) {
  all.push_back({"closes at once", [](Connection&) {}, {kConnection}, {}, false});
  all.push_back(
      {"resets at once", [](Connection& c) { c.ResetAtEnd(); }, {kConnection}, {}, false});
  all.push_back({"closes after the request", AnswerAndClose(""), {kConnection}});
  all.push_back({"resets after the request", AnswerAndReset(""), {kConnection}});
  all.push_back({"resets within the status line", AnswerAndReset("HTTP/1.1 2"), {kConnection}});
  all.push_back({"resets within the headers", AnswerAndReset(kOk), {kConnection, 200}});
  all.push_back({"closes within the headers", AnswerAndClose(kOk), {kConnection, 200}});
  all.push_back({"closes within a header",
                 AnswerAndClose(absl::StrCat(kOk, "Content-Le")),
                 {kConnection, 200}});
  all.push_back({"resets within the body",
                 AnswerAndReset(absl::StrCat(kOk, "Content-Length: 10\r\n\r\nhello")),
                 {kConnection, 200}});
  all.push_back({"closes within the body",
                 AnswerAndClose(absl::StrCat(kOk, "Content-Length: 10\r\n\r\nhello")),
                 {kConnection, 200}});
  all.push_back({"closes within a chunk",
                 AnswerAndClose(absl::StrCat(kChunked, "5\r\nhe")),
                 {kConnection, 200}});
  all.push_back({"closes before the last chunk",
                 AnswerAndClose(absl::StrCat(kChunked, "5\r\nhello\r\n")),
                 {kConnection, 200}});
  all.push_back({"closes within the trailers",
                 AnswerAndClose(absl::StrCat(kChunked, "0\r\nX-T: 1\r\n")),
                 {kConnection, 200}});
  all.push_back({"closes after 100 Continue",
                 AnswerAndClose("HTTP/1.1 100 Continue\r\n\r\n"),
                 {kConnection}});
  all.push_back({"closes after 101",
                 AnswerAndClose("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
                 {kConnection}});
  all.push_back({"resets after a whole answer", AnswerAndReset(kEmpty), {kNone, 200}});
  all.push_back({"reads the next request and closes",
                 [](Connection& c) {
                   c.ReadRequest();
                   c.Send(kEmpty);
                   c.ReadRequest();
                 },
                 {kNone, 200}});
  all.push_back({"reads the next request and resets",
                 [](Connection& c) {
                   c.ReadRequest();
                   c.Send(kEmpty);
                   c.ReadRequest();
                   c.ResetAtEnd();
                 },
                 {kNone, 200}});
}

void NotHttp(std::vector<HostileReceiver>& all) {
  const struct {
    const char* name;
    std::string bytes;
  } kBanners[] = {
      {"HTTP/0.9", "<html>hello</html>"},
      {"an SSH banner", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"},
      {"an SMTP banner", "220 mail.example ESMTP Postfix\r\n"},
      {"an FTP banner", "220 (vsFTPd 3.0.3)\r\n"},
      {"a Redis error", "-ERR unknown command 'POST'\r\n"},
      {"a database's error", "E\0\0\0\x1aSFATAL\0C0A000\0\0"s},
      {"a TLS alert", "\x15\x03\x01\x00\x02\x02\x0a"s},
      {"zeros", std::string(64, '\0')},
      {"HTTP/2 settings", kSettings},
      {"HTTP/2 GOAWAY", kSettings + kGoAway},
      {"HTTP/2 stream reset", kSettings + kReset},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"the version alone", "HTTP/1.1\r\n\r\n"},
      {"a status of two digits", "HTTP/1.1 20\r\n\r\n"},
      {"a status that is no number", "HTTP/1.1 abc OK\r\n\r\n"},
      {"a status below 100", "HTTP/1.1 099 Low\r\n\r\n"},
      {"a version to come", "HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"},
      {"ICY", "ICY 200 OK\r\n\r\n"},
      {"RTSP", "RTSP/1.0 200 OK\r\n\r\n"},
  };
  for (const auto& banner : kBanners) {
    all.push_back({banner.name, AnswerAndClose(banner.bytes), {kConnection}});
  }
}

void Contradictory(std::vector<HostileReceiver>& all) {
  const auto answered = [&](const char* name, const std::string& bytes, Ending ending) {
    all.push_back({name, AnswerAndClose(bytes), ending});
  };
  answered("two lengths", absl::StrCat(kOk, "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
           {kConnection, 200});
  answered("a negative length", absl::StrCat(kOk, "Content-Length: -5\r\n\r\nhello"),
           {kConnection, 200});
  answered("a length that is no number", absl::StrCat(kOk, "Content-Length: abc\r\n\r\nhello"),
           {kConnection, 200});
  answered("a length beyond 64 bits",
           absl::StrCat(kOk, "Content-Length: 99999999999999999999\r\n\r\nhello"), {kNone, 200});
  answered("a length beside chunks",
           absl::StrCat(kOk, "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
                        "5\r\nhello\r\n0\r\n\r\n"),
           {kNone, 200});
  answered("chunks twice",
           absl::StrCat(kOk, "Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
           {kNone, 200});
  answered("a chunk size that is no number", absl::StrCat(kChunked, "zz\r\nhello\r\n0\r\n\r\n"),
           {kConnection, 200});
  answered("a negative chunk size", absl::StrCat(kChunked, "-5\r\nhello\r\n0\r\n\r\n"),
           {kConnection, 200});
  answered("a chunk size beyond 64 bits",
           absl::StrCat(kChunked, "fffffffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
           {kConnection, 200});
  answered("a chunk longer than it says", absl::StrCat(kChunked, "2\r\nhello\r\n0\r\n\r\n"),
           {kConnection, 200});
  answered("204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
           {kNone, 204});
  answered("304 with a body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
           {kNone, 304});
  answered("more than it announced", absl::StrCat(kOk, "Content-Length: 2\r\n\r\nhello"),
           {kNone, 200});
  answered("a second answer unasked", absl::StrCat(kEmpty, Status(500)), {kNone, 200});
  answered("a NUL in a header", absl::StrCat(kOk, "X-A: b\0c\r\nContent-Length: 0\r\n\r\n"s),
           {kConnection, 200});
  answered("a header without a colon", absl::StrCat(kOk, "nonsense\r\nContent-Length: 0\r\n\r\n"),
           {kConnection, 200});
  answered("a folded header", absl::StrCat(kOk, "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
           {kNone, 200});
  answered("lines that end with LF alone", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", {kNone, 200});
  answered("says that it closes", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbye", {kNone, 200});
  all.push_back({"says that it closes and does not",
                 AnswerAndHang("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
                 {kNone, 200}});
  all.push_back({"answers before it was asked",
                 [](Connection& c) {
                   c.Send(kEmpty);
                   c.WaitForClose();
                 },
                 {kNone, 200},
                 {},
                 false});
}

void Unwelcome(std::vector<HostileReceiver>& all) {
  const auto answered = [&](const std::string& name, int status, std::string_view headers) {
    all.push_back({.name = name,
                   .script = Answer(Status(status, headers)),
                   .ending = {kNone, status},
                   .keeps_open = true});
  };
  answered("301 to elsewhere", 301, "Location: http://127.0.0.1:1/\r\n");
  answered("302 to itself", 302, "Location: /hook\r\n");
  answered("303 to a file", 303, "Location: file:///etc/passwd\r\n");
  answered("307 to metadata", 307, "Location: http://169.254.169.254/\r\n");
  answered("308 to nowhere", 308, "");
  answered("401 Basic", 401, "WWW-Authenticate: Basic realm=\"x\"\r\n");
  answered("401 Digest", 401, "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n");
  answered("401 NTLM", 401, "WWW-Authenticate: NTLM\r\nWWW-Authenticate: Negotiate\r\n");
  answered("407", 407, "Proxy-Authenticate: Basic realm=\"x\"\r\n");
  answered("408", 408, "Connection: close\r\n");
  answered("410", 410, "");
  answered("413", 413, "");
  answered("417", 417, "");
  answered("421", 421, "");
  answered("425", 425, "");
  answered("426", 426, "Upgrade: h2c\r\nConnection: Upgrade\r\n");
  answered("505", 505, "");
  answered("599", 599, "");
  for (const char* when : {"-1", "0", "99999999999999999999", "1e9", "NaN", "", "soon", "0x10",
                           "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"}) {
    answered(absl::StrCat("429, Retry-After: ", when), 429,
             absl::StrCat("Retry-After: ", when, "\r\n"));
  }
  answered("503, Retry-After twice", 503, "Retry-After: 1\r\nRetry-After: 100000\r\n");
  answered("200 with another service to use", 200, "Alt-Svc: h2=\"127.0.0.1:1\"; ma=9999\r\n");
  answered("200 with a page to go on to", 200, "Refresh: 0; url=http://127.0.0.1:1/\r\n");
  answered("200 that asks for TLS", 200, "Strict-Transport-Security: max-age=9999\r\n");
}

}  // namespace

std::vector<HostileReceiver> HostileReceivers() {
  std::vector<HostileReceiver> all;
  Slow(all);
  Large(all);
  Broken(all);
  NotHttp(all);
  Contradictory(all);
  Unwelcome(all);
  return all;
}

std::vector<HostileHandshake> HostileHandshakes() {
  return {
      {"self-signed", {.self_signed = true}, {kTls}},
      {"expired", {.expired = true}, {kTls}},
      {"for another host", {.certificate_host = "other.example"}, {kTls}},
      {"for a name, asked by address", {}, {kTls}, "127.0.0.1"},
      {"TLS 1.1", {.max_tls_version = TLS1_1_VERSION}, {kTls}},
      {"TLS 1.0", {.max_tls_version = TLS1_VERSION}, {kTls}},
      {"wants a client certificate, TLS 1.2",
       {.max_tls_version = TLS1_2_VERSION, .wants_client_certificate = true},
       {kTls}},
      {"wants a client certificate, TLS 1.3", {.wants_client_certificate = true}, {kConnection}},
      {"HTTP/2 only", {.only_protocol = "h2"}, {kTls}},
  };
}

std::vector<HostileReceiver> BrokenHandshakes() {
  const Script plain = [](Connection& c) {
    c.Send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    c.WaitForClose();
  };
  return {
      {"a silent handshake", [](Connection& c) { c.WaitForClose(); }, {kTimeout}},
      {"plain HTTP", plain, {kTls}},
      {"closes in the handshake", [](Connection&) {}, {kTls}},
      {"resets in the handshake",
       [](Connection& c) {
         char hello[1];
         if (recv(c.fd(), hello, sizeof(hello), 0) == 1) c.ResetAtEnd();
       },
       {kTls}},
      {"drips in the handshake",
       [](Connection& c) {
         c.Send("\x16\x03\x03\x40\x00\x02"s);
         c.Drip("\x01", kDripPause);
       },
       {kTimeout}},
      {"floods the handshake",
       [](Connection& c) {
         const std::string bytes(16384, 'x');
         while (c.Send(bytes)) {
         }
       },
       {kTls}},
  };
}

std::vector<RunningReceiver> StartHostileReceivers(const TestAuthority& authority) {
  std::vector<RunningReceiver> all;
  const auto add = [&all](std::string name, std::string url, Ending ending) -> RunningReceiver& {
    RunningReceiver& running = all.emplace_back();
    running.name = std::move(name);
    running.url = std::move(url);
    running.ending = ending;
    return running;
  };
  for (const HostileReceiver& hostile : HostileReceivers()) {
    auto plain = std::make_unique<ScriptedReceiver>(hostile.script);
    auto tls = std::make_unique<TlsReceiver>(authority, TlsReceiver::Options{}, hostile.script);
    RunningReceiver* running = &add(hostile.name, plain->url(), hostile.ending);
    running->reads = hostile.reads;
    running->keeps_open = hostile.keeps_open;
    running->plain = std::move(plain);
    running =
        &add(hostile.name + ", over TLS", tls->url(), hostile.tls_ending.value_or(hostile.ending));
    running->reads = hostile.reads;
    running->keeps_open = hostile.keeps_open;
    running->tls = std::move(tls);
  }
  for (const HostileHandshake& hostile : HostileHandshakes()) {
    auto tls = std::make_unique<TlsReceiver>(authority, hostile.options);
    RunningReceiver& running =
        add("handshake: " + hostile.name, tls->url(hostile.host), hostile.ending);
    running.reads = false;
    running.tls = std::move(tls);
  }
  for (const HostileReceiver& hostile : BrokenHandshakes()) {
    auto plain = std::make_unique<ScriptedReceiver>(hostile.script);
    RunningReceiver& running =
        add("handshake: " + hostile.name, absl::StrCat("https://127.0.0.1:", plain->port(), "/"),
            hostile.ending);
    running.reads = false;
    running.plain = std::move(plain);
  }
  return all;
}

}  // namespace postrider::http
