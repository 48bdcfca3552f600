#ifndef POSTRIDER_TESTS_SUPPORT_CALLER_H_
#define POSTRIDER_TESTS_SUPPORT_CALLER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/api.h"
#include "tests/support/received_request.h"
#include "tests/support/wait.h"

namespace postrider::testing {

// An endpoint with the secret that only its creation showed.
struct CreatedEndpoint {
  v1::Endpoint endpoint;
  std::string secret;

  const std::string& id() const { return endpoint.id(); }
};

// What a test does over and over, on behalf of one org and environment. Every call is expected to
// be OK: another answer is a failure of the running test and gives an empty value. For calls that
// are to fail, use Api. Thread-compatible.
class Caller {
 public:
  // `api` must outlive its use. An empty `org` becomes one that nobody else in this program has.
  explicit Caller(Api& api, std::string org = "", std::string env = "env_1");

  Api& api() const { return *api_; }
  const std::string& org() const { return org_; }
  const std::string& env() const { return env_; }

  // From now on by way of another server.
  void Use(Api& api) { api_ = &api; }

  // An event to publish.
  v1::PublishRequest Event(absl::string_view type = "message.received",
                           absl::string_view data_json = R"({"n":1})") const;
  v1::PublishResponse Publish(const v1::PublishRequest& request);
  v1::PublishResponse Publish() { return Publish(Event()); }
  // The id of a new event.
  std::string PublishEvent(absl::string_view type = "message.received");
  v1::Event GetEvent(const std::string& event_id);

  // An endpoint to create, that gets everything.
  v1::Endpoint EndpointAt(const std::string& url) const;
  CreatedEndpoint Create(const v1::Endpoint& endpoint);
  CreatedEndpoint CreateAt(const std::string& url) { return Create(EndpointAt(url)); }
  v1::Endpoint GetEndpoint(const std::string& endpoint_id);
  // `fields` are the paths of the mask; none: all that are set.
  v1::Endpoint Update(const v1::Endpoint& endpoint, const std::vector<std::string>& fields);
  v1::Endpoint Enable(const std::string& endpoint_id, bool discard_pending = false);
  v1::Endpoint Disable(const std::string& endpoint_id);
  void Delete(const std::string& endpoint_id);
  // The new secret; a negative overlap leaves it to the server.
  std::string Rotate(const std::string& endpoint_id,
                     absl::Duration overlap = -absl::InfiniteDuration());

  v1::Delivery GetDelivery(const std::string& delivery_id);
  std::vector<v1::Delivery> DeliveriesOf(const std::string& event_id);
  std::vector<v1::Delivery> DeliveriesTo(const std::string& endpoint_id,
                                         v1::DeliveryState state = v1::DELIVERY_STATE_UNSPECIFIED);
  // The only delivery of an event; that there is exactly one is expected.
  v1::Delivery DeliveryOf(const std::string& event_id);
  // In the order of their numbers.
  std::vector<v1::Attempt> AttemptsOf(const std::string& delivery_id);
  std::vector<v1::Attempt> AttemptsTo(const std::string& endpoint_id);
  v1::Delivery Redeliver(const std::string& delivery_id);
  v1::Delivery Cancel(const std::string& delivery_id);

  // The delivery once it is in the state; a failure if it is not in time.
  v1::Delivery WaitForState(const std::string& delivery_id, v1::DeliveryState state,
                            absl::Duration timeout = kPatience);
  // The delivery once that many attempts are in its log and the next is not under way.
  v1::Delivery WaitForAttempts(const std::string& delivery_id, int count,
                               absl::Duration timeout = kPatience);
  v1::Endpoint WaitForEndpointState(const std::string& endpoint_id, v1::EndpointState state,
                                    absl::Duration timeout = kPatience);
  // Waits until the endpoint has no open delivery.
  bool WaitUntilIdle(const std::string& endpoint_id, absl::Duration timeout = kPatience);

  // The endpoints created so far, also those that were deleted.
  const std::vector<std::string>& created() const { return created_; }

 private:
  Api* api_;
  std::string org_;
  std::string env_;
  std::vector<std::string> created_;
};

// OK if a secret verifies the signature of the request now; else what is wrong.
absl::Status VerifySignature(const ReceivedRequest& request,
                             const std::vector<std::string>& secrets);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_CALLER_H_
