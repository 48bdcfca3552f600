#ifndef POSTRIDER_SERVER_HTTP_RESPONSE_READER_H_
#define POSTRIDER_SERVER_HTTP_RESPONSE_READER_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "server/http/request.h"

namespace postrider::http {

// Keeps the part of a response that goes into a Result, and says when more has come than may. Takes
// what libcurl hands over: header lines one by one (status lines, 1xx responses and trailers
// included) and the body in pieces.
//
// Pure bookkeeping; one thread.
class ResponseReader {
 public:
  ResponseReader(size_t max_header_bytes, size_t max_body_bytes);

  // Forgets everything, for the next response.
  void Clear();

  // A line with its line end. False if all lines together exceed their limit.
  bool AddHeaderLine(absl::string_view line);

  // False if the body exceeds its limit.
  bool AddBody(absl::string_view bytes);

  // Whether a response that is not 1xx has begun, and whether a block of headers or trailers has
  // begun that was not ended by an empty line.
  bool final_response() const { return final_response_; }
  bool in_header_block() const { return in_header_block_; }

  // Moves what was kept into the result.
  void MoveTo(Result* result);

 private:
  void Keep(absl::string_view field);

  const size_t max_header_bytes_;
  const size_t max_body_bytes_;
  size_t header_bytes_ = 0;
  size_t header_bytes_kept_ = 0;
  bool in_header_block_ = false;
  bool final_response_ = false;
  Headers headers_;
  size_t body_bytes_ = 0;
  std::string body_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_RESPONSE_READER_H_
