// Managing endpoints: create, get, list, update, delete. (Enabling, disabling and secrets have
// tests of their own.)

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

class EndpointTest : public EngineTest {
 protected:
  v1::Endpoint FullEndpoint() {
    v1::Endpoint endpoint = EndpointAt(receiver_.Url("/full?x=1"));
    endpoint.add_events("message.received");
    endpoint.add_events("domain.*");
    endpoint.set_description("caf\xC3\xA9, for people");
    (*endpoint.mutable_metadata())["team"] = "blue";
    (*endpoint.mutable_metadata())["empty"] = "";
    (*endpoint.mutable_headers())["Authorization"] = "Bearer one";
    *endpoint.add_retry_schedule() = ToProto(absl::Seconds(5));
    *endpoint.add_retry_schedule() = ToProto(absl::Hours(24));
    endpoint.set_disable_threshold(7);
    *endpoint.mutable_timeout() = ToProto(absl::Milliseconds(2500));
    endpoint.set_max_in_flight(9);
    endpoint.set_rate_limit_per_second(0.5);
    return endpoint;
  }

  grpc::Status UpdateStatus(const v1::Endpoint& endpoint, const std::vector<std::string>& fields) {
    v1::UpdateEndpointRequest request;
    *request.mutable_endpoint() = endpoint;
    for (const std::string& field : fields) request.mutable_update_mask()->add_paths(field);
    return api().UpdateEndpoint(request).status;
  }

  v1::Endpoint Named(const std::string& id) {
    v1::Endpoint endpoint;
    endpoint.set_id(id);
    return endpoint;
  }
};

TEST_F(EndpointTest, CreateAnswersTheEndpointAsItIsKept) {
  const absl::Time before = absl::Now();
  const v1::Endpoint given = FullEndpoint();
  const v1::Endpoint made = Create(given).endpoint;
  EXPECT_TRUE(absl::StartsWith(made.id(), "ep_")) << made.id();
  EXPECT_EQ(made.id().size(), 29u);
  EXPECT_EQ(made.state(), v1::ENDPOINT_STATE_ENABLED);
  EXPECT_EQ(made.signature_scheme(), v1::SIGNATURE_SCHEME_HMAC_SHA256);
  EXPECT_EQ(made.consecutive_failures(), 0);
  EXPECT_EQ(made.public_key(), "");
  EXPECT_NE(made.etag(), "");
  EXPECT_GE(ToTime(made.create_time()), before - absl::Seconds(1));
  EXPECT_EQ(ToTime(made.create_time()), ToTime(made.update_time()));
  EXPECT_EQ(GetEndpoint(made.id()).SerializeAsString().size(), made.SerializeAsString().size());
  const v1::Endpoint got = GetEndpoint(made.id());
  EXPECT_EQ(got.url(), given.url());
  EXPECT_EQ(got.events_size(), 2);
  EXPECT_EQ(got.events(1), "domain.*");
  EXPECT_EQ(got.description(), given.description());
  EXPECT_EQ(got.metadata().at("team"), "blue");
  EXPECT_EQ(got.metadata().at("empty"), "");
  EXPECT_EQ(got.retry_schedule_size(), 2);
  EXPECT_EQ(got.disable_threshold(), 7);
  EXPECT_EQ(ToDuration(got.timeout()), absl::Milliseconds(2500));
  EXPECT_EQ(got.max_in_flight(), 9);
  EXPECT_EQ(got.rate_limit_per_second(), 0.5);
  EXPECT_FALSE(got.retries_disabled());
  EXPECT_EQ(got.org_id(), org());
  EXPECT_EQ(got.env_id(), env());
}

TEST_F(EndpointTest, EveryLimitIsInclusive) {
  v1::Endpoint endpoint = EndpointAt("https://example.com/" + std::string(2028, 'p'));
  endpoint.add_events(std::string(128, 'e'));
  while (endpoint.events_size() < 100)
    endpoint.add_events(absl::StrCat("e", endpoint.events_size()));
  endpoint.set_description(std::string(1024, 'd'));
  for (int i = 10; i < 60; ++i) {
    (*endpoint.mutable_metadata())[absl::StrCat(i, std::string(62, 'n'))] = std::string(512, 'v');
  }
  for (int i = 10; i < 30; ++i) (*endpoint.mutable_headers())[absl::StrCat("x-", i)] = "v";
  while (endpoint.retry_schedule_size() < 20) {
    *endpoint.add_retry_schedule() = ToProto(absl::Hours(24));
  }
  endpoint.set_disable_threshold(1000000);
  *endpoint.mutable_timeout() = ToProto(absl::Seconds(15));
  endpoint.set_max_in_flight(1000);
  endpoint.set_rate_limit_per_second(100000);
  const v1::Endpoint made = Create(endpoint).endpoint;
  EXPECT_EQ(made.url().size(), 2048u);
  EXPECT_EQ(made.events_size(), 100);
  EXPECT_EQ(made.metadata_size(), 50);
  EXPECT_EQ(made.headers_size(), 20);
  v1::Endpoint least = EndpointAt(receiver_.Url());
  (*least.mutable_headers())[std::string(128, 'h')] = std::string(4096 - 128, 'v');
  *least.add_retry_schedule() = ToProto(absl::Seconds(1));
  least.set_disable_threshold(0);
  *least.mutable_timeout() = ToProto(absl::Seconds(1));
  least.set_max_in_flight(1);
  least.set_rate_limit_per_second(0.001);
  Create(least);
}

TEST_F(EndpointTest, WhatIsNotGivenIsUnset) {
  const v1::Endpoint made = CreateAt(receiver_.Url()).endpoint;
  EXPECT_EQ(made.events_size(), 0);
  EXPECT_EQ(made.retry_schedule_size(), 0);
  EXPECT_FALSE(made.has_disable_threshold());
  EXPECT_FALSE(made.has_timeout());
  EXPECT_FALSE(made.has_max_in_flight());
  EXPECT_FALSE(made.has_rate_limit_per_second());
  EXPECT_FALSE(made.has_disable_time());
}

TEST_F(EndpointTest, OutputOnlyFieldsAreIgnoredAtCreation) {
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  endpoint.set_id("ep_01ARZ3NDEKTSV4RRFFQ69G5FAV");
  endpoint.set_state(v1::ENDPOINT_STATE_DISABLED);
  endpoint.set_consecutive_failures(9);
  endpoint.set_secret_hint("abcd");
  const CreatedEndpoint created = Create(endpoint);
  EXPECT_NE(created.id(), endpoint.id());
  EXPECT_EQ(created.endpoint.state(), v1::ENDPOINT_STATE_ENABLED);
  EXPECT_EQ(created.endpoint.consecutive_failures(), 0);
  EXPECT_NE(created.endpoint.secret_hint(), "abcd");
}

TEST_F(EndpointTest, HeaderValuesAreShownRedactedAndNamesInLowerCase) {
  const v1::Endpoint made = Create(FullEndpoint()).endpoint;
  for (const v1::Endpoint& shown : {made, GetEndpoint(made.id())}) {
    ASSERT_EQ(shown.headers_size(), 1);
    EXPECT_EQ(shown.headers().begin()->first, "authorization");
    EXPECT_EQ(shown.headers().begin()->second, "***");
  }
  EXPECT_FALSE(absl::StrContains(database().Dump(), "Bearer one"));  // Sealed at rest.
}

TEST_F(EndpointTest, AnUpdateOfHeadersReplacesAllAndThreeStarsKeepAValue) {
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  (*endpoint.mutable_headers())["x-one"] = "1";
  (*endpoint.mutable_headers())["x-two"] = "2";
  v1::Endpoint changed = Named(Create(endpoint).id());
  (*changed.mutable_headers())["x-one"] = "***";
  (*changed.mutable_headers())["x-three"] = "3";
  EXPECT_EQ(Update(changed, {"headers"}).headers_size(), 2);
  LetChangeHold();
  PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].Header("x-one"), "1");
  EXPECT_EQ(requests[0].CountHeaders("x-two"), 0u);
  EXPECT_EQ(requests[0].Header("x-three"), "3");
  // There is no value to keep under a new name.
  (*changed.mutable_headers())["x-four"] = "***";
  EXPECT_EQ(UpdateStatus(changed, {"headers"}).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(EndpointTest, AMaskWritesItsFieldsAndNoOthers) {
  const v1::Endpoint made = Create(FullEndpoint()).endpoint;
  v1::Endpoint change = Named(made.id());
  change.set_description("new");
  change.set_url(receiver_.Url("/ignored"));
  const v1::Endpoint updated =
      Update(change, {"description", "max_in_flight", "retry_schedule", "metadata"});
  EXPECT_EQ(updated.description(), "new");
  EXPECT_FALSE(updated.has_max_in_flight());  // Named and not set: cleared.
  EXPECT_EQ(updated.retry_schedule_size(), 0);
  EXPECT_EQ(updated.metadata_size(), 0);
  EXPECT_EQ(updated.url(), made.url());
  EXPECT_EQ(updated.disable_threshold(), 7);
  EXPECT_EQ(updated.events_size(), 2);
}

TEST_F(EndpointTest, WithoutAMaskTheFieldsThatAreSetAreWritten) {
  const v1::Endpoint made = Create(FullEndpoint()).endpoint;
  v1::Endpoint change = Named(made.id());
  change.set_disable_threshold(0);
  change.set_secret_hint("abcd");  // Output only: passed over.
  const v1::Endpoint updated = Update(change, {});
  EXPECT_EQ(updated.disable_threshold(), 0);
  EXPECT_EQ(updated.secret_hint(), made.secret_hint());
  EXPECT_EQ(updated.url(), made.url());
  EXPECT_EQ(updated.description(), made.description());
}

TEST_F(EndpointTest, WhatWasReadCanBeWrittenBack) {
  const v1::Endpoint made = Create(FullEndpoint()).endpoint;
  v1::Endpoint read = GetEndpoint(made.id());
  read.set_description("new");
  const v1::Endpoint updated = Update(read, {});
  EXPECT_EQ(updated.description(), "new");
  EXPECT_EQ(updated.url(), made.url());
}

TEST_F(EndpointTest, AnUpdateWithAnOldEtagIsAbortedAndChangesNothing) {
  v1::Endpoint endpoint = CreateAt(receiver_.Url()).endpoint;
  v1::Endpoint change = Named(endpoint.id());
  change.set_description("first");
  change.set_etag(endpoint.etag());
  const v1::Endpoint updated = Update(change, {"description"});
  EXPECT_NE(updated.etag(), endpoint.etag());
  EXPECT_GE(ToTime(updated.update_time()), ToTime(endpoint.update_time()));
  change.set_description("second");
  EXPECT_REFUSED(UpdateStatus(change, {"description"}), StatusCode::ABORTED);
  EXPECT_EQ(GetEndpoint(endpoint.id()).description(), "first");
}

TEST_F(EndpointTest, TheEtagChangesWithStateAndSecretAndNotWithTheFailureCounter) {
  receiver_.AlwaysAnswer(Answer{.status = 500});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  endpoint.set_retries_disabled(true);
  const std::string id = Create(endpoint).id();
  std::set<std::string> etags = {GetEndpoint(id).etag()};
  WaitForState(DeliveryOf(PublishEvent()).id(), v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(GetEndpoint(id).consecutive_failures(), 1);
  EXPECT_EQ(etags.count(GetEndpoint(id).etag()), 1u);
  etags.insert(Disable(id).etag());
  etags.insert(Enable(id).etag());
  Rotate(id);
  etags.insert(GetEndpoint(id).etag());
  EXPECT_EQ(etags.size(), 4u);
}

TEST_F(EndpointTest, OrgAndEnvironmentCannotBeChanged) {
  const v1::Endpoint made = CreateAt(receiver_.Url()).endpoint;
  v1::Endpoint change = Named(made.id());
  change.set_org_id("another");
  EXPECT_BAD_FIELDS(UpdateStatus(change, {"org_id"}), "update_mask");
  EXPECT_BAD_FIELDS(UpdateStatus(change, {"env_id"}), "update_mask");
}

TEST_F(EndpointTest, ADeletedEndpointIsNotFound) {
  const std::string id = CreateAt(receiver_.Url()).id();
  Delete(id);
  v1::DeleteEndpointRequest request;
  request.set_endpoint_id(id);
  EXPECT_REFUSED(api().DeleteEndpoint(request).status, StatusCode::NOT_FOUND);
  EXPECT_REFUSED(UpdateStatus(Named(id), {"description"}), StatusCode::NOT_FOUND);
  v1::EnableEndpointRequest enable;
  enable.set_endpoint_id(id);
  EXPECT_REFUSED(api().EnableEndpoint(enable).status, StatusCode::NOT_FOUND);
  v1::ListEndpointsRequest list;
  list.set_org_id(org());
  EXPECT_EQ(api().ListEndpoints(list)->endpoints_size(), 0);
}

TEST_F(EndpointTest, ARequestIdMakesARetryOfACreationSafe) {
  v1::CreateEndpointRequest request;
  *request.mutable_endpoint() = FullEndpoint();
  request.set_request_id("create once");
  const Reply<v1::CreateEndpointResponse> first = api().CreateEndpoint(request);
  const Reply<v1::CreateEndpointResponse> second = api().CreateEndpoint(request);
  ASSERT_TRUE(first.ok()) << ToText(first.status);
  ASSERT_TRUE(second.ok()) << ToText(second.status);
  EXPECT_EQ(first->endpoint().id(), second->endpoint().id());
  EXPECT_EQ(first->secret(), second->secret());
  v1::ListEndpointsRequest list;
  list.set_org_id(org());
  EXPECT_EQ(api().ListEndpoints(list)->endpoints_size(), 1);
  request.mutable_endpoint()->set_description("another");
  EXPECT_REFUSED(api().CreateEndpoint(request).status, StatusCode::ALREADY_EXISTS);
  Delete(first->endpoint().id());
}

TEST_F(EndpointTest, ListsAreNewestFirstPagedAndFiltered) {
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(CreateAt(receiver_.Url()).id());
  Disable(ids[2]);
  v1::ListEndpointsRequest request;
  request.set_org_id(org());
  request.set_page_size(3);
  std::vector<std::string> listed;
  int pages = 0;
  do {
    const Reply<v1::ListEndpointsResponse> page = api().ListEndpoints(request);
    ASSERT_TRUE(page.ok()) << ToText(page.status);
    ASSERT_LE(page->endpoints_size(), 3);
    for (const v1::Endpoint& endpoint : page->endpoints()) listed.push_back(endpoint.id());
    request.set_page_token(page->next_page_token());
    ASSERT_LE(++pages, 4);
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, std::vector<std::string>(ids.rbegin(), ids.rend()));
  request.set_page_size(0);
  request.set_state(v1::ENDPOINT_STATE_DISABLED);
  Reply<v1::ListEndpointsResponse> disabled = api().ListEndpoints(request);
  ASSERT_EQ(disabled->endpoints_size(), 1);
  EXPECT_EQ(disabled->endpoints(0).id(), ids[2]);
  request.clear_state();
  request.set_env_id("env_2");
  EXPECT_EQ(api().ListEndpoints(request)->endpoints_size(), 0);
}

TEST_F(EndpointTest, APageSizeOverAThousandIsTakenAsAThousand) {
  CreateAt(receiver_.Url());
  v1::ListEndpointsRequest request;
  request.set_org_id(org());
  request.set_page_size(1000000);
  EXPECT_EQ(api().ListEndpoints(request)->endpoints_size(), 1);
}

TEST_F(EndpointTest, APageTokenBelongsToItsFilters) {
  for (int i = 0; i < 3; ++i) CreateAt(receiver_.Url());
  v1::ListEndpointsRequest request;
  request.set_org_id(org());
  request.set_page_size(1);
  request.set_page_token(api().ListEndpoints(request)->next_page_token());
  ASSERT_NE(request.page_token(), "");
  request.set_state(v1::ENDPOINT_STATE_ENABLED);
  EXPECT_BAD_FIELDS(api().ListEndpoints(request).status, "page_token");
}

TEST_F(EndpointTest, AUrlIsKeptInCanonicalForm) {
  EXPECT_EQ(CreateAt("https://EXAMPLE.com:443").endpoint.url(), "https://example.com/");
}

}  // namespace
}  // namespace postrider::testing
