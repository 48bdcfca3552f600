#include "tests/integration/callers/contract.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.pb.h"
#include "tests/support/health.h"

namespace postrider::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Deep enough for StreamPublishRequest.request and BatchPublishRequest.requests.
constexpr int kDepth = 2;

bool IsOurs(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map() &&
         field->message_type()->file()->package() == "postrider.v1";
}

int NameTenantWithin(Message& message, const std::string& org, const std::string& env, int depth) {
  int named = 0;
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->name() == "org_id") {
      reflection->SetString(&message, field, org);
      ++named;
    } else if (field->name() == "env_id") {
      reflection->SetString(&message, field, env);
    } else if (IsOurs(field) && depth < kDepth) {
      Message* part = field->is_repeated() ? reflection->AddMessage(&message, field)
                                           : reflection->MutableMessage(&message, field);
      named += NameTenantWithin(*part, org, env, depth + 1);
    }
  }
  return named;
}

}  // namespace

Contract::Contract(Api& api) {
  const absl::StatusOr<std::vector<std::string>> services = ReflectedServices(api);
  EXPECT_TRUE(services.ok()) << services.status();
  if (!services.ok()) return;
  for (const std::string& service : *services) {
    if (!absl::StartsWith(service, "postrider.")) continue;
    const absl::StatusOr<std::vector<std::string>> files = ReflectedFiles(api, service);
    EXPECT_TRUE(files.ok()) << files.status();
    // Imports come behind what imports them: whatever can be built is, until nothing is left.
    std::vector<google::protobuf::FileDescriptorProto> left;
    for (const std::string& bytes : *files) {
      google::protobuf::FileDescriptorProto file;
      file.ParseFromString(bytes);
      if (pool_.FindFileByName(file.name()) == nullptr) left.push_back(std::move(file));
    }
    for (size_t before = left.size() + 1; !left.empty() && left.size() < before;) {
      before = left.size();
      for (size_t i = left.size(); i-- > 0;) {
        bool ready = true;
        for (const std::string& import : left[i].dependency()) {
          ready = ready && pool_.FindFileByName(import) != nullptr;
        }
        if (ready && pool_.BuildFile(left[i]) != nullptr) {
          left.erase(left.begin() + static_cast<ptrdiff_t>(i));
        }
      }
    }
    const google::protobuf::ServiceDescriptor* found = pool_.FindServiceByName(service);
    EXPECT_NE(found, nullptr) << service;
    if (found == nullptr) continue;
    for (int i = 0; i < found->method_count(); ++i) rpcs_.push_back(found->method(i));
  }
}

std::unique_ptr<Message> Contract::NewRequest(const google::protobuf::MethodDescriptor& rpc) {
  return std::unique_ptr<Message>(factory_.GetPrototype(rpc.input_type())->New());
}

std::string NameOf(const google::protobuf::MethodDescriptor& rpc) {
  return absl::StrCat(rpc.service()->full_name(), "/", rpc.name());
}

int NameTenant(Message& request, const std::string& org, const std::string& env) {
  return NameTenantWithin(request, org, env, 0);
}

int NameResources(Message& request, const ResourceIds& ids) {
  int named = 0;
  const auto* reflection = request.GetReflection();
  for (int i = 0; i < request.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = request.GetDescriptor()->field(i);
    if (const auto id = ids.find(field->name()); id != ids.end()) {
      reflection->SetString(&request, field, id->second);
      ++named;
      continue;
    }
    // The resource itself, as in UpdateEndpointRequest.endpoint.
    const auto id = ids.find(field->name() + "_id");
    if (id == ids.end() || !IsOurs(field) || field->is_repeated() ||
        !absl::StartsWith(request.GetDescriptor()->name(), "Update")) {
      continue;
    }
    Message* resource = reflection->MutableMessage(&request, field);
    const FieldDescriptor* own_id = resource->GetDescriptor()->FindFieldByName("id");
    if (own_id == nullptr) continue;
    resource->GetReflection()->SetString(resource, own_id, id->second);
    ++named;
  }
  return named;
}

}  // namespace postrider::testing
