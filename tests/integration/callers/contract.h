#ifndef POSTRIDER_TESTS_INTEGRATION_CALLERS_CONTRACT_H_
#define POSTRIDER_TESTS_INTEGRATION_CALLERS_CONTRACT_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/message.h"
#include "tests/support/api.h"

namespace postrider::testing {

// Ids of resources by the name of the field that asks for them, "endpoint_id".
using ResourceIds = std::map<std::string, std::string>;

// Every rpc that a server offers, as its reflection describes it: what is new is here by itself.
class Contract {
 public:
  explicit Contract(Api& api);

  // Those of Postrider's own services.
  const std::vector<const google::protobuf::MethodDescriptor*>& rpcs() const { return rpcs_; }

  std::unique_ptr<google::protobuf::Message> NewRequest(
      const google::protobuf::MethodDescriptor& rpc);

 private:
  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_;
  std::vector<const google::protobuf::MethodDescriptor*> rpcs_;
};

// "postrider.v1.EventService/GetEvent".
std::string NameOf(const google::protobuf::MethodDescriptor& rpc);

// Sets every org_id and env_id of the request, in its parts too; one part of each list is made.
// Returns how many org_ids there are.
int NameTenant(google::protobuf::Message& request, const std::string& org, const std::string& env);

// Sets every field that asks for a resource there is an id of. Returns how many.
int NameResources(google::protobuf::Message& request, const ResourceIds& ids);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_INTEGRATION_CALLERS_CONTRACT_H_
