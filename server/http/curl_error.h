#ifndef POSTRIDER_SERVER_HTTP_CURL_ERROR_H_
#define POSTRIDER_SERVER_HTTP_CURL_ERROR_H_

#include <string_view>

#include "server/http/request.h"

namespace postrider::http {

struct ErrorKind {
  TransferError error;
  std::string_view text;  // Plain words, static.
};

// What a CURLcode means for a delivery. Total: a code that is not in the table, from a newer
// library, is kConnection. Only 0 is kNone. The codes that our own callbacks cause (write error,
// aborted) mean something only to who knows why; here they are kConnection.
//
// CURLE_OUT_OF_MEMORY is the receiver's fault, not our memory: libcurl 7.88 reports a header line
// over 100 KiB that way.
ErrorKind ClassifyCurlError(int curl_code);

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_CURL_ERROR_H_
