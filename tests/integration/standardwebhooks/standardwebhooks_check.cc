// What npm's standardwebhooks library, the reference of the Standard Webhooks project, says of the
// requests that arrive. Run by run.sh, which installs the library.

#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/program.h"

namespace postrider::testing {
namespace {

// Those of the test vectors of the Standard Webhooks project.
constexpr char kFirst[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kSecond[] = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

class StandardWebhooksTest : public EngineTest {
 protected:
  void SetUp() override {
    ASSERT_NE(::getenv("POSTRIDER_NODE"), nullptr) << "run by run.sh";
    Program::Options options;
    options.arguments = {::getenv("POSTRIDER_NODE"), ::getenv("POSTRIDER_RECEIVER")};
    options.environment = {{"POSTRIDER_SECRETS", absl::StrCat(kFirst, " ", kSecond)}};
    absl::StatusOr<std::unique_ptr<Program>> started = Program::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    node_ = *std::move(started);
    const absl::StatusOr<std::string> line = node_->ReadLine(kPatience);
    ASSERT_TRUE(line.ok()) << line.status();
    ASSERT_TRUE(absl::StartsWith(*line, "listening ")) << *line;
    v1::CreateEndpointRequest request;
    *request.mutable_endpoint() =
        EndpointAt(absl::StrCat("http://127.0.0.1:", line->substr(10), "/webhooks"));
    request.set_secret(kFirst);
    const Reply<v1::CreateEndpointResponse> created = api().CreateEndpoint(request);
    ASSERT_TRUE(created.ok()) << ToText(created.status);
    endpoint_ = created->endpoint().id();
  }

  void TearDown() override {
    if (!endpoint_.empty()) Delete(endpoint_);
    EngineTest::TearDown();
  }

  // What the library said of the next request.
  std::string Verdict() { return node_->ReadLine(kPatience).value_or("no verdict"); }

  std::string Expected(const std::string& id, const std::string& verified) {
    return absl::StrCat(R"({"id":")", id, R"(","type":"message.received","attempt":1,"verified":)",
                        verified, R"(,"refusesChangedBody":true,"refusesChangedTimestamp":true,)",
                        R"("refusesChangedId":true,"refusesMissingSignature":true})");
  }

  std::unique_ptr<Program> node_;
  std::string endpoint_;
};

TEST_F(StandardWebhooksTest, TheReferenceLibraryVerifiesWhatArrivesAndRejectsAChangedBody) {
  for (const char* data : {"{}", R"({"email":"test@example.com","n":1.50})",
                           "{\"text\":\"caf\xC3\xA9 \xF0\x9F\x98\x80\"}", R"({"a":{"b":[1,2]}})"}) {
    const std::string id = Publish(Event("message.received", data)).event_id();
    EXPECT_EQ(Verdict(), Expected(id, "[true,false]"));
  }
}

TEST_F(StandardWebhooksTest, DuringARotationItVerifiesWithEitherSecret) {
  v1::RotateEndpointSecretRequest request;
  request.set_endpoint_id(endpoint_);
  request.set_secret(kSecond);
  const Reply<v1::RotateEndpointSecretResponse> rotated = api().RotateEndpointSecret(request);
  ASSERT_TRUE(rotated.ok()) << ToText(rotated.status);
  LetChangeHold();
  const std::string id = PublishEvent();
  EXPECT_EQ(Verdict(), Expected(id, "[true,true]"));
}

}  // namespace
}  // namespace postrider::testing
