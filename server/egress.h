// Where webhooks may go, as the configuration says it.

#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "server/config/config.h"
#include "server/http/destination.h"
#include "server/http/reserved_places.h"

namespace postrider {

// The places where a server of this configuration listens and where its database may be, to which
// the address of each connect to the database is added, and the ports that port 0 became at the end
// of the start. Looks up the names among them.
std::shared_ptr<http::ReservedPlaces> ReservedPlacesOf(const config::Config& config);

// Says in the log what is opened beyond the public Internet. INVALID_ARGUMENT for a bad block.
absl::StatusOr<http::DestinationPolicy> PolicyOf(
    const config::Config& config, std::shared_ptr<const http::ReservedPlaces> reserved);

}  // namespace postrider
