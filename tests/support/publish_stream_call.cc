#include "tests/support/publish_stream_call.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace postrider::testing {
namespace {

std::shared_ptr<grpc::Channel> ChannelWithSmallWindow(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 << 10);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

// An operation, whose end the queue's thread tells.
class PublishStreamCall::Step {
 public:
  void Ended(bool ok) {
    ok_ = ok;
    ended_.Notify();
  }
  bool Wait() {
    ended_.WaitForNotification();
    return ok_;
  }

 private:
  bool ok_ = false;
  absl::Notification ended_;
};

PublishStreamCall::PublishStreamCall(const std::string& address)
    : stub_(ChannelWithSmallWindow(address)), thread_([this] {
        void* tag = nullptr;
        bool ok = false;
        while (queue_.Next(&tag, &ok)) static_cast<Step*>(tag)->Ended(ok);
      }) {
  context_.set_deadline(absl::ToChronoTime(absl::Now() + Api::kCallTimeout));
  call_ = stub_.PrepareCall(&context_, "/postrider.v1.PublisherService/StreamPublish", &queue_);
  Step step;
  call_->StartCall(&step);
  step.Wait();
}

PublishStreamCall::~PublishStreamCall() {
  context_.TryCancel();
  queue_.Shutdown();
  thread_.join();
}

bool PublishStreamCall::Send(int64_t sequence, const v1::PublishRequest& request) {
  v1::StreamPublishRequest item;
  item.set_sequence(sequence);
  *item.mutable_request() = request;
  return SendBytes(item.SerializeAsString());
}

bool PublishStreamCall::SendBytes(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  Step step;
  call_->Write(grpc::ByteBuffer(&slice, 1), &step);
  return step.Wait();
}

void PublishStreamCall::EndSending() {
  Step step;
  call_->WritesDone(&step);
  step.Wait();
}

std::optional<v1::StreamPublishResponse> PublishStreamCall::Read() {
  grpc::ByteBuffer bytes;
  Step step;
  call_->Read(&bytes, &step);
  if (!step.Wait()) return std::nullopt;
  grpc::Slice slice;
  v1::StreamPublishResponse answer;
  if (!bytes.DumpToSingleSlice(&slice).ok() ||
      !answer.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return std::nullopt;
  }
  return answer;
}

std::vector<v1::StreamPublishResponse> PublishStreamCall::ReadAll() {
  std::vector<v1::StreamPublishResponse> all;
  while (std::optional<v1::StreamPublishResponse> answer = Read()) all.push_back(*answer);
  return all;
}

grpc::Status PublishStreamCall::Finish() {
  grpc::Status status;
  Step step;
  call_->Finish(&status, &step);
  step.Wait();
  return status;
}

}  // namespace postrider::testing
