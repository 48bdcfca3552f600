// Checks of certificates before they are served with.

#ifndef POSTRIDER_SERVER_SECURITY_CERTIFICATE_H_
#define POSTRIDER_SERVER_SECURITY_CERTIFICATE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace postrider::security {

// When the certificate ends that `chain_pem` begins with. FAILED_PRECONDITION: there is none,
// `key_pem` holds no unencrypted private key, or that key is another
// certificate's. A certificate out of its time is fine here. Thread-safe.
absl::StatusOr<absl::Time> CheckCertificateAndKey(const std::string& chain_pem,
                                                  const std::string& key_pem);

// FAILED_PRECONDITION: `pem` holds no certificate. Thread-safe.
absl::Status CheckAuthorities(const std::string& pem);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_CERTIFICATE_H_
