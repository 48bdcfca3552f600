// Parameters of one statement in PostgreSQL's binary format: scalars and one-dimensional arrays.
// Batches travel as arrays through `unnest`, which is the fastest way in (docs/ARCHITECTURE.md).
// Not thread-safe; keep one a statement and Clear() it between runs.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/ulid.h"

namespace postrider {

class Params {
 public:
  Params& Bool(bool value);
  Params& Int4(int32_t value);
  Params& Int4(std::optional<int32_t> value);
  Params& Int8(int64_t value);
  Params& Float8(double value);
  Params& Float8(std::optional<double> value);
  Params& Text(std::string_view value);
  Params& OptionalText(std::string_view value);  // empty: null
  Params& Bytes(std::string_view value);
  Params& OptionalBytes(const std::optional<std::string>& value);
  Params& Uuid(const Ulid& value);
  Params& Uuid(const std::optional<Ulid>& value);
  Params& Time(absl::Time value);
  Params& Time(std::optional<absl::Time> value);

  // Arrays: `get(element)` gives the element's value; an empty optional is null.
  template <typename Range, typename Get>
  Params& UuidArray(const Range& range, Get get) {
    BeginArray(kUuidOid, range.size());
    for (const auto& element : range) AddUuid(get(element));
    return EndArray();
  }
  template <typename Range, typename Get>
  Params& Int4Array(const Range& range, Get get) {
    BeginArray(kInt4Oid, range.size());
    for (const auto& element : range) AddInt4(get(element));
    return EndArray();
  }
  // The element's value is a std::optional<int32_t>.
  template <typename Range, typename Get>
  Params& OptionalInt4Array(const Range& range, Get get) {
    BeginArray(kInt4Oid, range.size());
    for (const auto& element : range) {
      const std::optional<int32_t> value = get(element);
      value ? AddInt4(*value) : AddNull();
    }
    return EndArray();
  }
  template <typename Range, typename Get>
  Params& Int8Array(const Range& range, Get get) {
    BeginArray(kInt8Oid, range.size());
    for (const auto& element : range) AddInt8(get(element));
    return EndArray();
  }
  template <typename Range, typename Get>
  Params& BoolArray(const Range& range, Get get) {
    BeginArray(kBoolOid, range.size());
    for (const auto& element : range) AddBool(get(element));
    return EndArray();
  }
  template <typename Range, typename Get>
  Params& TextArray(const Range& range, Get get) {
    BeginArray(kTextOid, range.size());
    for (const auto& element : range) AddBytes(get(element));
    return EndArray();
  }
  template <typename Range, typename Get>
  Params& BytesArray(const Range& range, Get get) {
    BeginArray(kByteaOid, range.size());
    for (const auto& element : range) AddBytes(get(element));
    return EndArray();
  }
  // The element's value is a std::optional<std::string_view>.
  template <typename Range, typename Get>
  Params& OptionalTextArray(const Range& range, Get get) {
    BeginArray(kTextOid, range.size());
    for (const auto& element : range) {
      const std::optional<std::string_view> value = get(element);
      value ? AddBytes(*value) : AddNull();
    }
    return EndArray();
  }
  // The element's value is a std::optional<absl::Time>.
  template <typename Range, typename Get>
  Params& TimeArray(const Range& range, Get get) {
    BeginArray(kTimestamptzOid, range.size());
    for (const auto& element : range) {
      const std::optional<absl::Time> value = get(element);
      value ? AddTime(*value) : AddNull();
    }
    return EndArray();
  }

  void Clear();

  int count() const { return static_cast<int>(types_.size()); }
  const unsigned* types() const { return types_.data(); }
  // Valid until the next call that is not const.
  const char* const* values() const;
  const int* lengths() const { return lengths_.data(); }

  static constexpr unsigned kBoolOid = 16, kByteaOid = 17, kInt8Oid = 20, kInt4Oid = 23,
                            kTextOid = 25, kFloat8Oid = 701, kTimestamptzOid = 1184,
                            kUuidOid = 2950;

 private:
  void Scalar(unsigned type, std::string_view bytes);
  void Null(unsigned type);
  void BeginArray(unsigned element_type, size_t count);
  Params& EndArray();
  void AddNull();
  void AddUuid(const Ulid& value);
  void AddInt4(int32_t value);
  void AddInt8(int64_t value);
  void AddBool(bool value);
  void AddBytes(std::string_view value);
  void AddTime(absl::Time value);
  void Put32(uint32_t value);
  void Put64(uint64_t value);

  std::string buffer_;  // all values, one behind the other
  std::vector<unsigned> types_;
  std::vector<size_t> offsets_;
  std::vector<int> lengths_;  // -1: null
  size_t null_flag_ = 0;      // of the array being built
  mutable std::vector<const char*> pointers_;
};

}  // namespace postrider
