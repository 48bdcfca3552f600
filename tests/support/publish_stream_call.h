#ifndef POSTRIDER_TESTS_SUPPORT_PUBLISH_STREAM_CALL_H_
#define POSTRIDER_TESTS_SUPPORT_PUBLISH_STREAM_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "postrider/v1/publisher_service.pb.h"
#include "tests/support/api.h"

namespace postrider::testing {

// One StreamPublish, byte for byte as the test says. Every step waits for its end,
// Api::kCallTimeout at most for the whole call. One thread may send while another one reads. It has
// a connection of its own, which takes no more than 64 KiB of answers that are not read.
class PublishStreamCall {
 public:
  // `address` as the server prints it when it is ready.
  explicit PublishStreamCall(const std::string& address);
  ~PublishStreamCall();

  // False if the stream is over.
  bool Send(int64_t sequence, const v1::PublishRequest& request);
  bool SendBytes(const std::string& bytes);
  void EndSending();

  // The next answer; none if the stream is over.
  std::optional<v1::StreamPublishResponse> Read();
  // All that is still to come.
  std::vector<v1::StreamPublishResponse> ReadAll();

  // How it ended; after the last Read.
  grpc::Status Finish();

  void Cancel() { context_.TryCancel(); }

 private:
  class Step;

  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::thread thread_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_PUBLISH_STREAM_CALL_H_
