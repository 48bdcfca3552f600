// Runs simulations until so many deliveries were made: simulation [--seed=N] [--events=N]
// [--deliveries=N] [--log]. With a seed it is that one run. It ends with 1 at the first run that
// breaks a promise, and says how to repeat it.
//
// Containers of hashes are walked in an order that comes from addresses. So that a seed is the same
// run again, each is a process of its own, forked from one that has allocated nothing, and
// addresses are not randomized.

#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/simulation/simulate.h"

namespace {

using postrider::simulation::CommandOf;
using postrider::simulation::Report;
using postrider::simulation::Simulate;

struct Arguments {
  uint64_t first_seed = 0;
  bool one = false;
  int events = 4000;
  int64_t deliveries = 1000000;
  bool loud = false;
};

bool Parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const auto value = [&](const char* name) -> const char* {
      const size_t size = std::strlen(name);
      return std::strncmp(argv[i], name, size) == 0 ? argv[i] + size : nullptr;
    };
    if (const char* seed = value("--seed=")) {
      arguments.first_seed = std::strtoull(seed, nullptr, 10);
      arguments.one = true;
    } else if (const char* from = value("--first-seed=")) {
      arguments.first_seed = std::strtoull(from, nullptr, 10);
    } else if (const char* events = value("--events=")) {
      arguments.events = std::atoi(events);
    } else if (const char* deliveries = value("--deliveries=")) {
      arguments.deliveries = std::atoll(deliveries);
    } else if (std::strcmp(argv[i], "--log") == 0) {
      arguments.loud = true;
    } else {
      return false;
    }
  }
  return arguments.events > 0;
}

// What a run tells its parent. Without pointers: it goes through a pipe.
struct Outcome {
  char weather[32] = "";
  int64_t findings = 0;  // which the run has printed
  int64_t deliveries = 0;
  int64_t requests = 0;
  int64_t abandoned = 0;
  int64_t events = 0;
  double virtual_seconds = 0;
  bool operator==(const Outcome&) const = default;
};

struct Sum {
  char weather[32] = "";
  int runs = 0;
  int64_t deliveries = 0;
  int64_t requests = 0;
  int64_t abandoned = 0;
  double hours = 0;
};

void RunChild(uint64_t seed, const Arguments& arguments, int to_parent) {
  const Report report = Simulate(seed, arguments.events, {}, arguments.loud);
  Outcome outcome;
  std::strncpy(outcome.weather, report.weather.c_str(), sizeof(outcome.weather) - 1);
  outcome.findings = static_cast<int64_t>(report.findings.size());
  outcome.deliveries = report.deliveries;
  outcome.requests = report.requests;
  outcome.abandoned = report.abandoned;
  outcome.events = report.events;
  outcome.virtual_seconds = report.virtual_seconds;
  if (!report.findings.empty()) {
    std::printf("seed %llu (%s) breaks promises:\n", static_cast<unsigned long long>(seed),
                report.weather.c_str());
    for (const std::string& finding : report.findings) std::printf("  %s\n", finding.c_str());
    std::printf("repeat it with: %s\n", CommandOf(seed, arguments.events).c_str());
    std::fflush(stdout);
  }
  const bool told = write(to_parent, &outcome, sizeof(outcome)) == sizeof(outcome);
  _exit(told ? 0 : 1);
}

// False: the run has crashed.
bool RunOne(uint64_t seed, const Arguments& arguments, Outcome& outcome) {
  int ends[2];
  std::fflush(stdout);
  if (pipe(ends) != 0) return false;
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) RunChild(seed, arguments, ends[1]);
  close(ends[1]);
  const bool told = read(ends[0], &outcome, sizeof(outcome)) == sizeof(outcome);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!told) {
    std::printf(
        "seed %llu crashed; repeat it with: build/release/bin/simulation --seed=%llu "
        "--events=%d\n",
        static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed),
        arguments.events);
  }
  return told;
}

Sum& SumOf(std::array<Sum, 16>& sums, const char* weather) {
  for (Sum& sum : sums) {
    if (sum.runs == 0) std::memcpy(sum.weather, weather, sizeof(sum.weather));
    if (std::strcmp(sum.weather, weather) == 0) return sum;
  }
  std::abort();
}

// Starts this program anew with addresses that are the same each time, where that is allowed.
void FixAddresses(char** argv) {
  const int now = personality(0xffffffff);
  if (now == -1 || (now & ADDR_NO_RANDOMIZE) != 0) return;
  if (personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE) == -1) return;
  execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  FixAddresses(argv);
  Arguments arguments;
  if (!Parse(argc, argv, arguments)) {
    std::fprintf(stderr,
                 "usage: simulation [--seed=N | --first-seed=N] [--events=N] [--deliveries=N] "
                 "[--log]\n");
    return 2;
  }
  const auto begun = std::chrono::steady_clock::now();
  std::array<Sum, 16> sums;
  int64_t deliveries = 0;
  for (uint64_t seed = arguments.first_seed; deliveries < arguments.deliveries; ++seed) {
    Outcome outcome;
    if (!RunOne(seed, arguments, outcome)) return 1;
    if (outcome.findings > 0) return 1;
    // Now and then a second time: a failure must be one that can be repeated.
    if (Outcome again; seed % 40 == 0 && (!RunOne(seed, arguments, again) || again != outcome)) {
      std::printf("seed %llu is not the same run each time\n",
                  static_cast<unsigned long long>(seed));
      return 1;
    }
    Sum& sum = SumOf(sums, outcome.weather);
    ++sum.runs;
    sum.deliveries += outcome.deliveries;
    sum.requests += outcome.requests;
    sum.abandoned += outcome.abandoned;
    sum.hours += outcome.virtual_seconds / 3600;
    deliveries += outcome.deliveries;
    if (arguments.one) {
      std::printf("%lld events, %.1f s of virtual time\n", static_cast<long long>(outcome.events),
                  outcome.virtual_seconds);
      break;
    }
  }
  std::printf("%-24s %6s %12s %12s %10s %8s\n", "weather", "runs", "deliveries", "requests",
              "abandoned", "hours");
  for (const Sum& sum : sums) {
    if (sum.runs == 0) break;
    std::printf("%-24s %6d %12lld %12lld %10lld %8.1f\n", sum.weather, sum.runs,
                static_cast<long long>(sum.deliveries), static_cast<long long>(sum.requests),
                static_cast<long long>(sum.abandoned), sum.hours);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::printf("%lld deliveries in %.1f s: every promise held\n", static_cast<long long>(deliveries),
              took.count());
  return 0;
}
