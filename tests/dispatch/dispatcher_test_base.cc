#include "tests/dispatch/dispatcher_test_base.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/http/url.h"
#include "server/signing/secret.h"

namespace postrider::dispatch {
namespace {

Ulid UlidNo(int n) {
  Ulid ulid = Ulid::FloorOf(absl::FromUnixSeconds(1772980000));
  ulid.bytes[14] = static_cast<uint8_t>(n >> 8);
  ulid.bytes[15] = static_cast<uint8_t>(n);
  return ulid;
}

int NumberOf(const Ulid& ulid) { return ulid.bytes[14] << 8 | ulid.bytes[15]; }

}  // namespace

EndpointId EndpointNo(int n) { return EndpointId{UlidNo(n)}; }
DeliveryId DeliveryNo(int n) { return DeliveryId{UlidNo(n)}; }
EventId EventNo(int n) { return EventId{UlidNo(n)}; }
AttemptId AttemptNo(int n) { return AttemptId{UlidNo(n)}; }

signing::HmacSecret SecretOf(char fill) {
  return signing::ParseHmacSecret(signing::FormatHmacSecret(std::string(32, fill))).value();
}

std::shared_ptr<Target> TargetNo(int n) {
  auto target = std::make_shared<Target>();
  target->id = EndpointNo(n);
  target->org_id = absl::StrCat("org", n);
  target->url = http::CheckUrl(absl::StrCat("https://example.com/", n), {}).value();
  target->secrets.push_back({signing::SigningKey(SecretOf('a')), absl::InfiniteFuture()});
  target->failure = {{policy::DefaultSchedule(), false}, true};
  target->disable_threshold = 0;
  target->max_in_flight = 32;
  target->timeout = absl::Seconds(15);
  target->connect_timeout = absl::Seconds(5);
  return target;
}

http::Result Answer(const http::Request& request, int status) {
  http::Result result;
  result.id = request.id;
  result.status = status;
  result.send_count = 1;
  return result;
}

std::string HeaderOf(const http::Request& request, std::string_view name) {
  for (const auto& [header, value] : request.headers) {
    if (header == name) return value;
  }
  return "";
}

std::vector<int> DeliveriesOf(const std::vector<http::Request>& requests) {
  std::vector<int> numbers;
  for (const http::Request& request : requests) {
    numbers.push_back(
        NumberOf(DeliveryId::Parse(HeaderOf(request, "postrider-delivery-id"))->ulid));
  }
  return numbers;
}

std::vector<int> DeliveriesOf(const std::vector<LeaseRef>& releases) {
  std::vector<int> numbers;
  for (const LeaseRef& release : releases) numbers.push_back(NumberOf(release.id.ulid));
  return numbers;
}

void DispatcherTest::Restart(const DispatchLimits& limits) {
  dispatcher_ = std::make_unique<Dispatcher>(
      limits, [this] { return random_; }, [this](absl::Time) { return AttemptNo(++attempts_); });
  Pass(absl::ZeroDuration());
  // Joined as of this turn.
  Run();
}

std::vector<WorkItem> DispatcherTest::Items(int endpoint, int first, int count) const {
  std::vector<WorkItem> items;
  for (int n = first; n < first + count; ++n) {
    WorkItem item;
    item.id = DeliveryNo(n);
    item.event_id = EventNo(n);
    item.endpoint_id = EndpointNo(endpoint);
    item.lease_token = 1000 + n;
    item.body = std::make_shared<const std::string>(absl::StrCat("{\"n\":", n, "}"));
    item.leased_at = now_;
    item.hold_until = now_ + absl::Seconds(12);
    items.push_back(std::move(item));
  }
  return items;
}

void DispatcherTest::Advance(absl::Duration duration) {
  now_ += duration;
  database_now_ += duration;
}

void DispatcherTest::Pass(absl::Duration duration) {
  Advance(duration);
  dispatcher_->SetStanding({-absl::InfiniteDuration(), now_ + absl::Seconds(7)});
  dispatcher_->AddNews({{}, {}, now_});
}

void DispatcherTest::AnswerAll(const std::vector<http::Request>& requests, int status) {
  std::vector<http::Result> results;
  for (const http::Request& request : requests) results.push_back(Answer(request, status));
  dispatcher_->AddResults(std::move(results), now_, database_now_);
}

FinishedAttempt DispatcherTest::Finish(http::Result result) {
  std::vector<http::Result> results;
  results.push_back(std::move(result));
  dispatcher_->AddResults(std::move(results), now_, database_now_);
  Turn turn = Run();
  EXPECT_EQ(turn.finished.size(), 1u);
  return turn.finished.empty() ? FinishedAttempt{} : std::move(turn.finished[0]);
}

}  // namespace postrider::dispatch
