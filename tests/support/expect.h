#ifndef POSTRIDER_TESTS_SUPPORT_EXPECT_H_
#define POSTRIDER_TESTS_SUPPORT_EXPECT_H_

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/api.h"

// Expects a grpc::Status with this code, an ErrorInfo of domain `postrider` with a reason, and a
// text.
#define EXPECT_REFUSED(status, code) \
  EXPECT_PRED_FORMAT2(::postrider::testing::RefusedWith, status, code)

// Expects INVALID_ARGUMENT with a BadRequest that names exactly these fields.
#define EXPECT_BAD_FIELDS(status, ...)                           \
  EXPECT_PRED_FORMAT2(::postrider::testing::NamesFields, status, \
                      (std::set<std::string>{__VA_ARGS__}))

namespace postrider::testing {

::testing::AssertionResult RefusedWith(const char* status_text, const char* code_text,
                                       const grpc::Status& status, grpc::StatusCode code);

::testing::AssertionResult NamesFields(const char* status_text, const char* fields_text,
                                       const grpc::Status& status,
                                       const std::set<std::string>& fields);

// What a BadRequest says of the field; "" when it does not name it.
std::string DescriptionOf(const grpc::Status& status, const std::string& field);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_EXPECT_H_
