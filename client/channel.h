// A gRPC channel to a server, for callers that want stubs of their own, such as for streams. For
// single calls client/client.h is enough, and free of gRPC's headers.

#ifndef POSTRIDER_CLIENT_CHANNEL_H_
#define POSTRIDER_CLIENT_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>

#include "client/options.h"

namespace postrider::client {

// A channel with message limits of kMaxMessageBytes, which connects at the first call. Proxies
// named in the environment are passed over: the address is the one that is called. Requires
// CheckOptions(options) to be OK. Thread-safe, as is the channel.
std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options);

// Adds the credential of `options` to a call. To be called once per context, before the call.
void Authorize(const ClientOptions& options, grpc::ClientContext* context);

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_CHANNEL_H_
