#ifndef POSTRIDER_TESTS_INTEGRATION_BAD_REQUESTS_H_
#define POSTRIDER_TESTS_INTEGRATION_BAD_REQUESTS_H_

#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/support/api.h"

namespace postrider::testing {

// What the requests of the table are made against: an org that has something of everything.
struct Stage {
  Api* api = nullptr;
  std::string org;
  std::string env;
  std::string endpoint;  // Enabled; has one delivery of each of the two below.
  std::string deleted_endpoint;
  std::string event;             // Published under the key "taken".
  std::string waiting_delivery;  // Waits a day for its retry.
  std::string succeeded_delivery;
};

// One row of the table.
struct BadRequest {
  std::string name;  // Letters and digits: part of the name of its test.
  std::function<grpc::Status(const Stage&)> call;
  grpc::StatusCode code = grpc::StatusCode::INVALID_ARGUMENT;
  std::set<std::string> fields;  // What google.rpc.BadRequest names, all of it.
};

inline void PrintTo(const BadRequest& row, std::ostream* out) { *out << row.name; }

// Ids of the right form that nobody has.
inline constexpr char kUnknownEndpoint[] = "ep_01ARZ3NDEKTSV4RRFFQ69G5FAV";
inline constexpr char kUnknownDelivery[] = "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV";
inline constexpr char kUnknownEvent[] = "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV";

// The parts of the table.
std::vector<BadRequest> BadPublishRequests();
std::vector<BadRequest> BadDataRequests();
std::vector<BadRequest> BadBatchRequests();
std::vector<BadRequest> BadCreateRequests();
std::vector<BadRequest> BadSettingRequests();
std::vector<BadRequest> BadUpdateRequests();
std::vector<BadRequest> BadRotateRequests();
std::vector<BadRequest> BadIdRequests();
std::vector<BadRequest> BadListRequests();

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_INTEGRATION_BAD_REQUESTS_H_
