#include "server/rpc/health_service.h"

#include <atomic>
#include <chrono>
#include <utility>

#include "grpcpp/alarm.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"

namespace postrider::rpc {
namespace {

using Request = grpc::health::v1::HealthCheckRequest;
using Response = grpc::health::v1::HealthCheckResponse;
using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// In which a request must be there: what strangers can make the server hold is what they can send
// in that time.
constexpr std::chrono::seconds kRequestTimeout(1);
constexpr size_t kMaxWatches = 1000;
// Far more than the name of a service: parsed, a message can take 50 times its bytes.
constexpr size_t kMaxRequestBytes = 4096;

grpc::Status Stopping() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is stopping");
}

}  // namespace

// A call whose request is read under a time limit. Deletes itself when gRPC and the alarm are done
// with it.
class HealthService::Call : public Reactor {
 public:
  Call(HealthService& service, grpc::CallbackServerContext& context)
      : service_(service), context_(context) {
    alarm_.Set(std::chrono::system_clock::now() + kRequestTimeout, [this](bool expired) {
      if (expired) CancelIfReading();
      Release();
    });
    StartRead(&bytes_);
  }

  void OnReadDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      reading_ = false;
    }
    alarm_.Cancel();
    Request request;
    if (!ok) {
      Finish(grpc::Status(grpc::StatusCode::CANCELLED, "no request came"));
    } else if (bytes_.Length() > kMaxRequestBytes) {
      Finish(TooLarge(bytes_.Length(), kMaxRequestBytes));
    } else if (!ParseRequest(bytes_, request)) {
      Finish(Malformed());
    } else {
      Answer(request.service());
    }
  }

  void OnDone() override { Release(); }

 protected:
  ~Call() override = default;
  virtual void Answer(const std::string& service) = 0;

  HealthService& service_;
  grpc::ByteBuffer bytes_;  // of the request, then of the response

 private:
  void Release() {
    if (--holders_ == 0) delete this;
  }
  // With the lock: once the request is there the call may end, and its context with it.
  void CancelIfReading() {
    absl::MutexLock lock(&mutex_);
    if (reading_) context_.TryCancel();
  }

  grpc::CallbackServerContext& context_;
  absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  grpc::Alarm alarm_;
  std::atomic<int> holders_ = 2;
};

class HealthService::Check final : public Call {
 public:
  using Call::Call;

 private:
  void Answer(const std::string& service) override {
    Response response;
    response.set_status(service_.StatusOf(service));
    if (response.status() == Response::SERVICE_UNKNOWN) {
      Finish(Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound, "no such service"));
      return;
    }
    bytes_.Clear();
    const grpc::Status written = WriteResponse(response, &bytes_);
    if (written.ok()) {
      StartWriteAndFinish(&bytes_, grpc::WriteOptions(), written);
    } else {
      Finish(written);
    }
  }
};

class HealthService::Watch final : public Call {
 public:
  using Call::Call;

  // Called with the service's lock, as all that follows.
  const std::string& service_name() const { return name_; }
  void Tell(HealthService::Status status) {
    if (ended_) return;
    if (writing_) {
      next_ = status;
      has_next_ = true;
    } else if (status != told_) {
      Write(status);
    }
  }
  void End(const grpc::Status& status) {
    if (!std::exchange(ended_, true)) Finish(status);
  }
  bool cancelled() const { return cancelled_; }

 private:
  void Answer(const std::string& service) override {
    name_ = service;
    service_.Add(this);
  }
  void Write(HealthService::Status status) {
    Response response;
    response.set_status(status);
    bytes_.Clear();
    told_ = status;
    writing_ = WriteResponse(response, &bytes_).ok();
    if (writing_) StartWrite(&bytes_);
  }
  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&service_.mutex_);
    writing_ = false;
    if (ok && std::exchange(has_next_, false)) Tell(next_);
  }
  void OnCancel() override {
    absl::MutexLock lock(&service_.mutex_);
    cancelled_ = true;
    if (service_.watches_.contains(this)) End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    service_.Remove(this);
    Call::OnDone();
  }

  std::string name_;
  HealthService::Status told_ = Response::UNKNOWN;
  HealthService::Status next_ = Response::UNKNOWN;
  bool has_next_ = false;
  bool writing_ = false;
  bool cancelled_ = false;
  bool ended_ = false;
};

HealthService::HealthService() {
  // As streams, whatever the contract says of them: a unary call would be handed over with its
  // message. On the wire there is no difference.
  const auto* methods = Request::descriptor()->file()->FindServiceByName("Health");
  const auto serve = [this, methods](const char* name, auto make) {
    const int index = methods->FindMethodByName(name)->index();
    MarkMethodStreamed(index, nullptr);
    MarkMethodRawCallback(
        index, new grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                   std::move(make)));
  };
  serve("Check", [this](grpc::CallbackServerContext* context) -> Reactor* {
    return new Check(*this, *context);
  });
  serve("Watch", [this](grpc::CallbackServerContext* context) -> Reactor* {
    return new Watch(*this, *context);
  });
}

void HealthService::Set(const std::string& service, bool serving) {
  absl::MutexLock lock(&mutex_);
  const Status status = serving ? Response::SERVING : Response::NOT_SERVING;
  statuses_[service] = status;
  for (Watch* watch : watches_) {
    if (watch->service_name() == service) watch->Tell(status);
  }
}

void HealthService::End() {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  for (Watch* watch : watches_) watch->End(Stopping());
}

HealthService::Status HealthService::StatusOf(const std::string& service) const {
  absl::MutexLock lock(&mutex_);
  const auto known = statuses_.find(service);
  return known == statuses_.end() ? Response::SERVICE_UNKNOWN : known->second;
}

void HealthService::Add(Watch* watch) {
  absl::MutexLock lock(&mutex_);
  if (watch->cancelled() || ended_) {
    watch->End(ended_ ? Stopping() : grpc::Status::CANCELLED);
  } else if (watches_.size() >= kMaxWatches) {
    watch->End(RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded,
                          "too many watch this server's health", absl::Seconds(1)));
  } else {
    watches_.insert(watch);
    const auto known = statuses_.find(watch->service_name());
    watch->Tell(known == statuses_.end() ? Response::SERVICE_UNKNOWN : known->second);
  }
}

void HealthService::Remove(Watch* watch) {
  absl::MutexLock lock(&mutex_);
  watches_.erase(watch);
}

}  // namespace postrider::rpc
