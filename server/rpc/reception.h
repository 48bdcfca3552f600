// What every service is given to take calls with.

#pragma once

#include "server/access/open_deliveries.h"
#include "server/rpc/audit_log.h"
#include "server/rpc/gate.h"
#include "server/rpc/workers.h"

namespace postrider::rpc {

struct Reception {
  Gate& gate;
  Workers& workers;  // for calls that wait for the database
  AuditLog& audit;
  const access::OpenDeliveries& open_deliveries;  // whether an org may publish more
};

}  // namespace postrider::rpc
