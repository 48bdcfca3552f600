// Endpoints and secrets as rows: columns in the order of endpoints_list.sql, and the parameters
// that endpoints_insert and endpoints_update share.

#pragma once

#include <string>
#include <vector>

#include "storage/model/records.h"
#include "storage/postgres/params.h"
#include "storage/postgres/result.h"

namespace postrider {

inline constexpr int kEndpointColumns = 29;

Endpoint EndpointOfRow(const Result& rows, int row);

// version, scheme, key_id, nonce, sealed, create_time, expire_time from `column` on.
EndpointSecret SecretOfRow(const Result& rows, int row, int column);

// url to metadata_values, 16 parameters.
void AddConfig(const EndpointConfig& config, Params& params);

}  // namespace postrider
