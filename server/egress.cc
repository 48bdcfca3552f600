#include "server/egress.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "server/observe/log.h"
#include "storage/postgres/connect.h"

namespace postrider {

std::shared_ptr<http::ReservedPlaces> ReservedPlacesOf(const config::Config& config) {
  auto reserved = std::make_shared<http::ReservedPlaces>();
  reserved->SetOwnAddresses(http::AddressesOfThisMachine());
  for (const std::string& address : config.listen) reserved->Add(http::PlacesOf(address));
  reserved->Add(http::PlacesOf(config.http_listen));
  if (config.database.empty()) return reserved;
  for (const std::string& host : TcpHostsOf(config.database)) {
    const std::vector<http::Place> places = http::PlacesOf(host);
    reserved->Add(places);
    if (!places.empty()) continue;
    observe::Log(observe::Severity::kWarning,
                 "a host of the database has no address now: webhooks are kept away from it once "
                 "it was connected to",
                 {{"host", host}});
  }
  return reserved;
}

absl::StatusOr<http::DestinationPolicy> PolicyOf(
    const config::Config& config, std::shared_ptr<const http::ReservedPlaces> reserved) {
  std::vector<http::Cidr> allowed;
  for (const std::string& text : config.egress_allow) {
    absl::StatusOr<http::Cidr> cidr = http::ParseCidr(text);
    if (!cidr.ok()) return cidr.status();
    allowed.push_back(*cidr);
  }
  if (!allowed.empty() || config.egress_allow_http) {
    observe::Log(observe::Severity::kWarning, "endpoints may reach more than the public Internet",
                 {{"egress_allow", absl::StrJoin(config.egress_allow, ",")},
                  {"egress_allow_http", config.egress_allow_http ? "on" : "off"}});
  }
  return http::DestinationPolicy(std::move(allowed), config.egress_allow_http, std::move(reserved));
}

}  // namespace postrider
