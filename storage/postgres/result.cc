#include "storage/postgres/result.h"

#include <libpq-fe.h>

#include <bit>
#include <cassert>
#include <cstdlib>
#include <cstring>

#include "storage/postgres/pg_time.h"

namespace postrider {
namespace {

uint64_t BigEndian(const char* bytes, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return value;
}

int64_t SignedInt(const char* bytes, int count) {
  const uint64_t value = BigEndian(bytes, count);
  switch (count) {
    case 2:
      return static_cast<int16_t>(value);
    case 4:
      return static_cast<int32_t>(value);
    case 8:
      return static_cast<int64_t>(value);
  }
  assert(false);
  return 0;
}

// Elements of a one-dimensional array; nulls are skipped (none of our arrays has any).
std::vector<std::string_view> Elements(std::string_view array) {
  std::vector<std::string_view> elements;
  if (array.size() < 12 || BigEndian(array.data(), 4) == 0) return elements;
  const uint64_t count = BigEndian(array.data() + 12, 4);
  size_t at = 20;
  for (uint64_t i = 0; i < count && at + 4 <= array.size(); ++i) {
    const int32_t length = static_cast<int32_t>(BigEndian(array.data() + at, 4));
    at += 4;
    if (length < 0) continue;
    elements.push_back(array.substr(at, static_cast<size_t>(length)));
    at += static_cast<size_t>(length);
  }
  return elements;
}

}  // namespace

void Result::Clear::operator()(pg_result* result) const { PQclear(result); }

Result::Result(pg_result* result) : result_(result), rows_(PQntuples(result)) {}

int64_t Result::affected() const { return std::atoll(PQcmdTuples(result_.get())); }

bool Result::IsNull(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Result::View(int row, int column) const {
  return std::string_view(PQgetvalue(result_.get(), row, column),
                          static_cast<size_t>(PQgetlength(result_.get(), row, column)));
}

bool Result::Bool(int row, int column) const {
  const std::string_view bytes = View(row, column);
  return !bytes.empty() && bytes[0] != 0;
}

int64_t Result::Int(int row, int column) const {
  const std::string_view bytes = View(row, column);
  return SignedInt(bytes.data(), static_cast<int>(bytes.size()));
}

double Result::Float8(int row, int column) const {
  const std::string_view bytes = View(row, column);
  assert(bytes.size() == 8);
  return std::bit_cast<double>(BigEndian(bytes.data(), 8));
}

Ulid Result::Uuid(int row, int column) const {
  const std::string_view bytes = View(row, column);
  Ulid id;
  assert(bytes.size() == id.bytes.size());
  std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
  return id;
}

absl::Time Result::Time(int row, int column) const { return FromPgMicros(Int(row, column)); }

std::optional<absl::Time> Result::OptionalTime(int row, int column) const {
  if (IsNull(row, column)) return std::nullopt;
  return Time(row, column);
}

std::vector<std::string> Result::TextArray(int row, int column) const {
  std::vector<std::string> values;
  for (std::string_view element : Elements(View(row, column))) values.emplace_back(element);
  return values;
}

std::vector<int64_t> Result::IntArray(int row, int column) const {
  std::vector<int64_t> values;
  for (std::string_view element : Elements(View(row, column))) {
    values.push_back(SignedInt(element.data(), static_cast<int>(element.size())));
  }
  return values;
}

}  // namespace postrider
