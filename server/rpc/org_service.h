// OrgService.

#pragma once

#include <atomic>
#include <functional>

#include "postrider/v1/org_service.grpc.pb.h"
#include "server/rpc/caller.h"
#include "server/rpc/reception.h"
#include "storage/event_store.h"
#include "storage/purge_store.h"

namespace postrider::rpc {

struct OrgParts {
  PurgeStore& purges;
  EventStore& events;
  const Reception& reception;
  std::function<bool()> draining;  // a purge of an org does not hold up the end of the server
};

class OrgService final
    : public v1::OrgService::WithRawCallbackMethod_GetOrgStats<
          v1::OrgService::WithRawCallbackMethod_PurgeOrg<
              v1::OrgService::WithRawCallbackMethod_PurgeEvent<v1::OrgService::Service>>> {
 public:
  explicit OrgService(OrgParts parts) : parts_(std::move(parts)) {}

  using Reactor = grpc::ServerUnaryReactor;
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;

  Reactor* GetOrgStats(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* PurgeOrg(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* PurgeEvent(Context* context, const Bytes* in, Bytes* out) override;

 private:
  grpc::Status GetStats(const Caller& caller, const v1::GetOrgStatsRequest& request,
                        v1::GetOrgStatsResponse& response);
  grpc::Status EraseOrg(const Caller& caller, const v1::PurgeOrgRequest& request,
                        v1::PurgeOrgResponse& response, const std::function<bool()>& go_on);
  grpc::Status EraseEvent(const Caller& caller, const v1::PurgeEventRequest& request,
                          v1::PurgeEventResponse& response);

  const OrgParts parts_;
  std::atomic<int> purges_{0};  // of orgs, running
};

}  // namespace postrider::rpc
