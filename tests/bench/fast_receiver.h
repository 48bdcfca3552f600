// A receiver that costs little: it finds where a request ends, takes the time it was sent from its
// body, and answers. It checks nothing; tests/support/receiver.h is for that.

#ifndef POSTRIDER_TESTS_BENCH_FAST_RECEIVER_H_
#define POSTRIDER_TESTS_BENCH_FAST_RECEIVER_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tests/bench/latency_histogram.h"

namespace postrider::bench {

// Where a body says when its event was to be published: this, then 20 digits, nanoseconds of
// CLOCK_MONOTONIC. Stands at the beginning of `data`.
inline constexpr char kSentMark[] = "\"sent\":\"";

// A receiver in a process of its own, so that its work is not counted as anybody else's. It ends
// with this object, and with the thread that made it.
class FastReceiver {
 public:
  // Listens on free ports of 127.0.0.1 when this returns. To be called before there are threads,
  // since it forks; ends the program if the system refuses.
  FastReceiver();
  ~FastReceiver();

  FastReceiver(const FastReceiver&) = delete;
  FastReceiver& operator=(const FastReceiver&) = delete;

  pid_t pid() const { return pid_; }
  // Endpoints of customers are on many hosts: the URLs are of kOrigins ports, in turn.
  std::string Url(size_t number) const;
  // The same, but an answer takes kSlow whatever SetDelay said; and of a port that refuses
  // connections.
  std::string SlowUrl(size_t number) const;
  std::string DeadUrl() const;

  // How long requests from now on wait for their answers, and the length of the answers' bodies.
  void SetDelay(absl::Duration delay);
  void SetAnswerBytes(int bytes);

  // Requests received whole so far, and those of them that are answered.
  int64_t received() const;
  int64_t answered() const;

  // From the time that the bodies name to the arrival of their requests.
  LatencyHistogram& arrivals();

  struct Shared;

  static constexpr size_t kOrigins = 32;
  static constexpr absl::Duration kSlow = absl::Seconds(10);

 private:
  Shared* const shared_;
  std::array<uint16_t, kOrigins> ports_{};
  std::array<uint16_t, kOrigins> slow_ports_{};
  uint16_t dead_port_ = 0;
  int dead_ = -1;  // bound, and nobody listens
  pid_t pid_ = -1;
};

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_FAST_RECEIVER_H_
