#include "server/rpc/endpoint_secrets.h"

#include <utility>

#include "server/security/endpoint_seal.h"

namespace postrider::rpc {
namespace {

absl::StatusOr<SealedBytes> Sealed(absl::StatusOr<security::SealedSecret> sealed) {
  if (!sealed.ok()) return sealed.status();
  return SealedBytes{std::move(sealed->key_id), std::move(sealed->nonce), std::move(sealed->bytes)};
}

}  // namespace

absl::StatusOr<SealedBytes> EndpointSecrets::SealSecret(const Tenant& tenant, EndpointId id,
                                                        int32_t version,
                                                        const std::string& text) const {
  const std::string id_text = id.ToText();
  return Sealed(keys_.Seal(
      text, security::AssociatedData(security::SecretContext(tenant, id_text, version))));
}

absl::StatusOr<std::string> EndpointSecrets::OpenSecret(const Tenant& tenant, EndpointId id,
                                                        const EndpointSecret& secret) const {
  const std::string id_text = id.ToText();
  return keys_.Open(
      {secret.sealed.key_id, secret.sealed.nonce, secret.sealed.bytes},
      security::AssociatedData(security::SecretContext(tenant, id_text, secret.version)));
}

absl::StatusOr<std::optional<SealedBytes>> EndpointSecrets::SealHeaders(
    const Tenant& tenant, EndpointId id, const HeaderPairs& headers) const {
  if (headers.empty()) return std::nullopt;
  const std::string id_text = id.ToText();
  absl::StatusOr<SealedBytes> sealed =
      Sealed(keys_.Seal(security::PackHeaders(headers),
                        security::AssociatedData(security::HeadersContext(tenant, id_text))));
  if (!sealed.ok()) return sealed.status();
  return std::optional<SealedBytes>(*std::move(sealed));
}

absl::StatusOr<HeaderPairs> EndpointSecrets::OpenHeaders(const Endpoint& endpoint) const {
  if (!endpoint.config.headers) return HeaderPairs{};
  const SealedBytes& sealed = *endpoint.config.headers;
  const std::string id_text = endpoint.id.ToText();
  absl::StatusOr<std::string> packed =
      keys_.Open({sealed.key_id, sealed.nonce, sealed.bytes},
                 security::AssociatedData(security::HeadersContext(endpoint.tenant, id_text)));
  if (!packed.ok()) return packed.status();
  HeaderPairs headers = security::UnpackHeaders(*packed);
  security::Cleanse(packed->data(), packed->size());
  return headers;
}

}  // namespace postrider::rpc
