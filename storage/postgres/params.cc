#include "storage/postgres/params.h"

#include <bit>

#include "storage/postgres/pg_time.h"

namespace postrider {
namespace {

unsigned ArrayOf(unsigned element) {
  switch (element) {
    case Params::kBoolOid:
      return 1000;
    case Params::kByteaOid:
      return 1001;
    case Params::kInt4Oid:
      return 1007;
    case Params::kTextOid:
      return 1009;
    case Params::kInt8Oid:
      return 1016;
    case Params::kTimestamptzOid:
      return 1185;
    case Params::kUuidOid:
      return 2951;
  }
  return 0;
}

}  // namespace

void Params::Put32(uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) buffer_.push_back(static_cast<char>(value >> shift));
}

void Params::Put64(uint64_t value) {
  Put32(static_cast<uint32_t>(value >> 32));
  Put32(static_cast<uint32_t>(value));
}

void Params::Scalar(unsigned type, std::string_view bytes) {
  types_.push_back(type);
  offsets_.push_back(buffer_.size());
  lengths_.push_back(static_cast<int>(bytes.size()));
  buffer_.append(bytes);
  buffer_.push_back('\0');
}

void Params::Null(unsigned type) {
  types_.push_back(type);
  offsets_.push_back(buffer_.size());
  lengths_.push_back(-1);
}

Params& Params::Bool(bool value) {
  Scalar(kBoolOid, value ? std::string_view("\1", 1) : std::string_view("\0", 1));
  return *this;
}

Params& Params::Int4(int32_t value) {
  types_.push_back(kInt4Oid);
  offsets_.push_back(buffer_.size());
  lengths_.push_back(4);
  Put32(static_cast<uint32_t>(value));
  return *this;
}

Params& Params::Int4(std::optional<int32_t> value) {
  if (value) return Int4(*value);
  Null(kInt4Oid);
  return *this;
}

Params& Params::Int8(int64_t value) {
  types_.push_back(kInt8Oid);
  offsets_.push_back(buffer_.size());
  lengths_.push_back(8);
  Put64(static_cast<uint64_t>(value));
  return *this;
}

Params& Params::Float8(double value) {
  types_.push_back(kFloat8Oid);
  offsets_.push_back(buffer_.size());
  lengths_.push_back(8);
  Put64(std::bit_cast<uint64_t>(value));
  return *this;
}

Params& Params::Float8(std::optional<double> value) {
  if (value) return Float8(*value);
  Null(kFloat8Oid);
  return *this;
}

Params& Params::Text(std::string_view value) {
  Scalar(kTextOid, value);
  return *this;
}

Params& Params::OptionalText(std::string_view value) {
  if (!value.empty()) return Text(value);
  Null(kTextOid);
  return *this;
}

Params& Params::Bytes(std::string_view value) {
  Scalar(kByteaOid, value);
  return *this;
}

Params& Params::OptionalBytes(const std::optional<std::string>& value) {
  if (value) return Bytes(*value);
  Null(kByteaOid);
  return *this;
}

Params& Params::Uuid(const Ulid& value) {
  Scalar(kUuidOid, std::string_view(reinterpret_cast<const char*>(value.bytes.data()), 16));
  return *this;
}

Params& Params::Uuid(const std::optional<Ulid>& value) {
  if (value) return Uuid(*value);
  Null(kUuidOid);
  return *this;
}

Params& Params::Time(absl::Time value) {
  types_.push_back(kTimestamptzOid);
  offsets_.push_back(buffer_.size());
  lengths_.push_back(8);
  Put64(static_cast<uint64_t>(ToPgMicros(value)));
  return *this;
}

Params& Params::Time(std::optional<absl::Time> value) {
  if (value) return Time(*value);
  Null(kTimestamptzOid);
  return *this;
}

void Params::BeginArray(unsigned element_type, size_t count) {
  types_.push_back(ArrayOf(element_type));
  offsets_.push_back(buffer_.size());
  // Dimensions, whether there are nulls, element type; then length and lower bound of the one
  // dimension. An empty array has no dimension.
  Put32(count == 0 ? 0 : 1);
  null_flag_ = buffer_.size();
  Put32(0);
  Put32(element_type);
  if (count > 0) {
    Put32(static_cast<uint32_t>(count));
    Put32(1);
  }
}

Params& Params::EndArray() {
  lengths_.push_back(static_cast<int>(buffer_.size() - offsets_.back()));
  return *this;
}

void Params::AddNull() {
  buffer_[null_flag_ + 3] = 1;
  Put32(0xffffffff);
}

void Params::AddUuid(const Ulid& value) {
  Put32(16);
  buffer_.append(reinterpret_cast<const char*>(value.bytes.data()), 16);
}

void Params::AddInt4(int32_t value) {
  Put32(4);
  Put32(static_cast<uint32_t>(value));
}

void Params::AddInt8(int64_t value) {
  Put32(8);
  Put64(static_cast<uint64_t>(value));
}

void Params::AddBool(bool value) {
  Put32(1);
  buffer_.push_back(value ? 1 : 0);
}

void Params::AddBytes(std::string_view value) {
  Put32(static_cast<uint32_t>(value.size()));
  buffer_.append(value);
}

void Params::AddTime(absl::Time value) { AddInt8(ToPgMicros(value)); }

void Params::Clear() {
  buffer_.clear();
  types_.clear();
  offsets_.clear();
  lengths_.clear();
}

const char* const* Params::values() const {
  pointers_.clear();
  for (size_t i = 0; i < offsets_.size(); ++i) {
    pointers_.push_back(lengths_[i] < 0 ? nullptr : buffer_.data() + offsets_[i]);
  }
  return pointers_.data();
}

}  // namespace postrider
