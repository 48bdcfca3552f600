#include "tests/support/credentials.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

void Shell(const std::string& command) {
  EXPECT_EQ(std::system(absl::StrCat(command, " >/dev/null 2>&1").c_str()), 0) << command;
}

constexpr char kNewKey[] = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

}  // namespace

Api::Metadata Bearer(absl::string_view key) {
  return {{"authorization", absl::StrCat("Bearer ", key)}};
}

v1::ApiKey KeyFor(const std::vector<v1::Scope>& scopes, const std::string& org,
                  const std::string& env) {
  v1::ApiKey key;
  for (const v1::Scope scope : scopes) key.add_scopes(scope);
  key.set_org_id(org);
  key.set_env_id(env);
  return key;
}

NewKey MakeKey(Api& api, absl::string_view maker, const v1::ApiKey& key) {
  v1::CreateApiKeyRequest request;
  *request.mutable_api_key() = key;
  const auto reply = CallAs<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>(
      api, maker, "postrider.v1.ApiKeyService/CreateApiKey", request);
  EXPECT_TRUE(reply.ok()) << ToText(reply.status);
  return {reply->api_key().id(), reply->key()};
}

grpc::Status RevokeKey(Api& api, absl::string_view admin, const std::string& key_id) {
  v1::RevokeApiKeyRequest request;
  request.set_api_key_id(key_id);
  return CallAs<v1::RevokeApiKeyRequest, v1::RevokeApiKeyResponse>(
             api, admin, "postrider.v1.ApiKeyService/RevokeApiKey", request)
      .status;
}

grpc::Status TryKey(Api& api, absl::string_view key) {
  v1::ListEndpointsRequest request;
  request.set_page_size(1);
  return CallAs<v1::ListEndpointsRequest, v1::ListEndpointsResponse>(
             api, key, "postrider.v1.EndpointService/ListEndpoints", request)
      .status;
}

std::string FileContent(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TestAuthority::TestAuthority(const std::string& name) : folder_(ScratchFolder::NewFolder("certs")) {
  Shell(absl::StrCat("openssl req -x509 ", kNewKey, " -keyout ", folder_, "/ca.key -out ",
                     ca_file(), " -subj /CN=", name, " -days 2"));
}

TestAuthority::Files TestAuthority::Issue(const std::string& names) {
  const std::string base = absl::StrCat(folder_, "/", ++issued_);
  Shell(absl::StrCat("openssl req ", kNewKey, " -keyout ", base, ".key -out ", base,
                     ".csr -subj /CN=test"));
  std::ofstream(base + ".ext") << "subjectAltName=" << names << "\n";
  Shell(absl::StrCat("openssl x509 -req -in ", base, ".csr -CA ", ca_file(), " -CAkey ", folder_,
                     "/ca.key -CAcreateserial -days 2 -extfile ", base, ".ext -out ", base,
                     ".pem"));
  return {base + ".pem", base + ".key"};
}

}  // namespace postrider::testing
