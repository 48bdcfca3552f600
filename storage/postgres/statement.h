// A statement of storage/sql as it is compiled in.

#pragma once

namespace postrider {

struct Statement {
  const char* name;  // also its name as a prepared statement
  const char* text;
};

}  // namespace postrider
