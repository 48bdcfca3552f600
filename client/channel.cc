#include "client/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"

namespace postrider::client {
namespace {

// gRPC waits 1 s and then up to 2 minutes before it connects again; a server that restarts is back
// sooner than that. GRPC_ARG_MIN_RECONNECT_BACKOFF_MS stays as it is: it is also the time that one
// attempt to connect may take.
constexpr int kFirstReconnectMillis = 100;
constexpr int kMaxReconnectMillis = 2000;

std::string ContentOf(const std::string& path) {
  if (path.empty()) return "";
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const TlsOptions& tls) {
  if (!tls.enabled) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ContentOf(tls.ca_file);
  options.pem_cert_chain = ContentOf(tls.cert_file);
  options.pem_private_key = ContentOf(tls.key_file);
  return grpc::SslCredentials(options);
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMillis);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMillis);
  return grpc::CreateCustomChannel(options.address, CredentialsOf(options.tls), arguments);
}

void Authorize(const ClientOptions& options, grpc::ClientContext* context) {
  if (options.api_key.empty()) return;
  context->AddMetadata("authorization", absl::StrCat("Bearer ", options.api_key));
}

}  // namespace postrider::client
