#include "tests/rpc/served_publisher.h"

#include <iterator>
#include <utility>

#include "absl/time/clock.h"
#include "grpcpp/security/server_credentials.h"
#include "gtest/gtest.h"
#include "server/security/api_key.h"
#include "server/security/random.h"

namespace postrider::rpc {

// Dry runs are not what is tried here.
class ServedPublisher::NoEvents : public EventStore {
 public:
  absl::StatusOr<std::vector<EndpointId>> Match(const Tenant&, const std::string&) override {
    return absl::UnavailableError("no database");
  }
  absl::StatusOr<Event> Get(EventId) override { return absl::UnavailableError("no database"); }
  absl::StatusOr<StoredKey> FindKey(const Tenant&, const std::string&) override {
    return absl::UnavailableError("no database");
  }
  absl::StatusOr<Page<Event>> List(const EventFilter&, const PageRequest&, int64_t) override {
    return absl::UnavailableError("no database");
  }
};

class ServedPublisher::NoRecords : public AuditStore {
 public:
  absl::Status Begin(const AuditRecord&) override { return absl::OkStatus(); }
  absl::Status End(const AuditRecord&) override { return absl::OkStatus(); }
  absl::StatusOr<Page<AuditRecord>> List(const AuditFilter&, const PageRequest&) override {
    return absl::UnavailableError("no database");
  }
};

ServedPublisher::ServedPublisher(const GateOptions& gate_options,
                                 const access::KeyLimits& key_limits)
    : directory_(std::make_unique<access::KeyTableReader>(table_), key_limits),
      gate_(directory_, clock_, gate_options),
      records_(std::make_unique<NoRecords>()),
      audit_(*records_, clock_, [](absl::Time) { return AuditRecordId(); }),
      events_(std::make_unique<NoEvents>()),
      service_(PublisherParts{
          [this](publish::Submission submission) { return Take(std::move(submission)); }, *events_,
          reception_, clock_, [](absl::Time) { return EventId(); }, envelope::JsonLimits(),
          absl::Hours(24)}) {
  const Instant now = MonotonicNow();
  clock_.Synchronize(absl::Now(), now, now);
  EXPECT_TRUE(directory_.Refresh().ok());
  auto started =
      GrpcServer::Start({{"127.0.0.1:0", grpc::InsecureServerCredentials()}}, {&service_});
  EXPECT_TRUE(started.ok()) << started.status();
  server_ = *std::move(started);
}

ServedPublisher::~ServedPublisher() {
  std::vector<publish::Submission> left;
  {
    absl::MutexLock lock(&mutex_);
    over_ = true;
    left.swap(waiting_);
  }
  for (publish::Submission& submission : left) {
    submission.done(absl::UnavailableError("the test is over"));
  }
  service_.streams().Drain();
  server_->Shutdown(absl::ZeroDuration());
}

absl::Status ServedPublisher::Take(publish::Submission submission) {
  absl::MutexLock lock(&mutex_);
  if (hold_ == Hold::kNext) {
    hold_ = Hold::kHolding;
    const auto released = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return hold_ != Hold::kHolding || over_;
    };
    mutex_.Await(absl::Condition(&released));
  }
  if (over_) return absl::UnavailableError("the test is over");
  waiting_.push_back(std::move(submission));
  return absl::OkStatus();
}

void ServedPublisher::HoldNext() {
  absl::MutexLock lock(&mutex_);
  hold_ = Hold::kNext;
}

bool ServedPublisher::holding() const {
  absl::MutexLock lock(&mutex_);
  return hold_ == Hold::kHolding;
}

void ServedPublisher::Release() {
  absl::MutexLock lock(&mutex_);
  hold_ = Hold::kNone;
}

std::string ServedPublisher::AddKey() {
  KnownApiKey known;
  known.key.id.ulid.bytes[15] = static_cast<uint8_t>(table_.position);
  known.key.scopes.Add(Scope::kPublish);
  const std::string text = security::NewApiKey(known.key.id, security::RandomBytes);
  known.secret_digest = security::ApiKeyDigest(security::ParseApiKey(text)->secret);
  table_.changes = {known};
  EXPECT_TRUE(directory_.Refresh().ok());
  return text;
}

void ServedPublisher::Revoke(const std::string& key_text) {
  KnownApiKey known;
  known.key.id = security::ParseApiKey(key_text)->id;
  known.revoked = true;
  table_.changes = {known};
  EXPECT_TRUE(directory_.Refresh().ok());
}

size_t ServedPublisher::waiting() const {
  absl::MutexLock lock(&mutex_);
  return waiting_.size();
}

std::vector<Instant> ServedPublisher::deadlines() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Instant> deadlines;
  for (const publish::Submission& submission : waiting_) deadlines.push_back(submission.deadline);
  return deadlines;
}

void ServedPublisher::Accept(size_t count) {
  std::vector<publish::Submission> taken;
  {
    absl::MutexLock lock(&mutex_);
    ASSERT_LE(count, waiting_.size());
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    taken.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
  }
  for (publish::Submission& submission : taken) {
    submission.done(std::vector<AcceptResult>(submission.events.size()));
  }
}

}  // namespace postrider::rpc
