#ifndef POSTRIDER_TESTS_SUPPORT_HEALTH_H_
#define POSTRIDER_TESTS_SUPPORT_HEALTH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/support/api.h"

namespace postrider::testing {

// The services beside our own: grpc.health.v1.Health and grpc.reflection.v1alpha.ServerReflection,
// spoken byte by byte because Debian packages no C++ for their messages.

enum class Health { kUnknown, kServing, kNotServing, kServiceUnknown, kNoAnswer };

// The health of a service; "" is the whole server.
Health HealthOf(Api& api, const std::string& service = "");

// The names of all services, as reflection tells them.
absl::StatusOr<std::vector<std::string>> ReflectedServices(Api& api);

// The serialized FileDescriptorProtos of the file that declares `symbol` and of its imports.
absl::StatusOr<std::vector<std::string>> ReflectedFiles(Api& api, const std::string& symbol);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_HEALTH_H_
