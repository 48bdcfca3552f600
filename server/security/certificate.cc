#include "server/security/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

namespace postrider::security {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

std::unique_ptr<BIO, FreeBio> Reader(const std::string& text) {
  return std::unique_ptr<BIO, FreeBio>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask for the passphrase of a key on the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

Certificate FirstCertificate(const std::string& pem) {
  Certificate certificate(PEM_read_bio_X509(Reader(pem).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  return certificate;
}

}  // namespace

absl::StatusOr<absl::Time> CheckCertificateAndKey(const std::string& chain_pem,
                                                  const std::string& key_pem) {
  const Certificate certificate = FirstCertificate(chain_pem);
  if (certificate == nullptr) {
    return absl::FailedPreconditionError("the certificate file holds no certificate in PEM form");
  }
  const std::unique_ptr<EVP_PKEY, FreeKey> key(
      PEM_read_bio_PrivateKey(Reader(key_pem).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::FailedPreconditionError(
        "the key file holds no private key in PEM form without a passphrase");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::FailedPreconditionError("the key file holds another certificate's key");
  }
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) {
    return absl::FailedPreconditionError("the certificate says no end that can be read");
  }
  return absl::FromTM(end, absl::UTCTimeZone());
}

absl::Status CheckAuthorities(const std::string& pem) {
  if (FirstCertificate(pem) != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("the file holds no certificate in PEM form");
}

}  // namespace postrider::security
