// Rows of one answer, in binary format. Column and row numbers from 0; asking for a column of
// another type than it has is a mistake of ours and asserts in debug builds.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/ulid.h"

struct pg_result;

namespace postrider {

class Result {
 public:
  explicit Result(pg_result* result);

  int rows() const { return rows_; }
  // Rows inserted, updated or deleted by a statement without RETURNING.
  int64_t affected() const;

  bool IsNull(int row, int column) const;
  bool Bool(int row, int column) const;
  int64_t Int(int row, int column) const;  // int2, int4 or int8
  double Float8(int row, int column) const;
  std::string_view View(int row, int column) const;  // text or bytea; as long as the Result lives
  std::string Text(int row, int column) const { return std::string(View(row, column)); }
  Ulid Uuid(int row, int column) const;
  absl::Time Time(int row, int column) const;
  std::optional<absl::Time> OptionalTime(int row, int column) const;
  std::vector<std::string> TextArray(int row, int column) const;
  std::vector<int64_t> IntArray(int row, int column) const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
  int rows_;
};

}  // namespace postrider
