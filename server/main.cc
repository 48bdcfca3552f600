// postriderd: the server.

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "server/config/config.h"
#include "server/master_keys.h"
#include "server/observe/log.h"
#include "server/server.h"

namespace {

// Runs until SIGTERM or SIGINT, then drains; a second one hurries.
int Serve(const postrider::config::Config& config, sigset_t& signals) {
  absl::StatusOr<std::unique_ptr<postrider::Server>> server = postrider::Server::Start(config);
  if (!server.ok()) {
    fprintf(stderr, "postriderd cannot start: %s\n",
            std::string(server.status().message()).c_str());
    return 1;
  }
  printf("postrider ready grpc=%s http=%s\n", (*server)->grpc_address().c_str(),
         (*server)->http_address().c_str());
  fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  postrider::observe::Log(postrider::observe::Severity::kInfo, "draining",
                          {{"signal", std::to_string(signal)}});
  std::thread second_signal([&server, &signals] {
    int second = 0;
    sigwait(&signals, &second);
    (*server)->Hurry();
  });
  (*server)->Drain();
  // Ends the wait for a second signal, if none came.
  pthread_kill(second_signal.native_handle(), SIGTERM);
  second_signal.join();
  postrider::observe::Log(postrider::observe::Severity::kInfo, "stopped");
  return 0;
}

// No core file, whatever the system allows: it would hold every secret in memory. A process that is
// not dumpable leaves none, and neither a debugger nor /proc shows its memory or environment to
// other processes of its user; the limit of 0 is for what it starts.
void ForbidCoreFiles() {
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

// Every connection is a file descriptor, and most systems give a program 1024 of them until it asks
// for more. Enough are those for all transfers, as many callers, and what the rest needs.
void TakeDescriptors() {
  constexpr rlim_t kEnough = 8192;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= kEnough) return;
  postrider::observe::Log(
      postrider::observe::Severity::kWarning,
      "few file descriptors: deliveries wait when all are in use; raise the limit (ulimit -Hn, "
      "systemd's LimitNOFILE)",
      {{"limit", std::to_string(limit.rlim_max)}, {"enough", std::to_string(kEnough)}});
}

// Debian's Abseil was built as for debugging: each lock looks for cycles under a lock of the whole
// process, 5 % of what the server costs. Our debug and sanitizer builds keep it.
void SkipDeadlockDetection() {
#ifdef NDEBUG
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
}

int Reseal(const postrider::config::Config& config) {
  const absl::StatusOr<std::string> said = postrider::RunReseal(config);
  if (!said.ok()) {
    fprintf(stderr, "postriderd --reseal: %s\n", std::string(said.status().message()).c_str());
    return 1;
  }
  printf("%s\n", said->c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Large messages are given back to the system as soon as they are free. Otherwise glibc learns
  // from the first one to keep them, in an arena of each thread, and a burst would never leave
  // again.
  mallopt(M_MMAP_THRESHOLD, 128 << 10);

  namespace config = postrider::config;
  ForbidCoreFiles();
  SkipDeadlockDetection();
  absl::StatusOr<config::Config> loaded =
      config::Load(std::vector<std::string>(argv + 1, argv + argc), config::ProcessEnvironment());
  if (!loaded.ok()) {
    fprintf(stderr, "postriderd cannot start:\n%s\n",
            std::string(loaded.status().message()).c_str());
    return 1;
  }
  if (loaded->help || loaded->help_markdown) {
    fputs((loaded->help ? config::HelpText() : config::HelpMarkdown()).c_str(), stdout);
    return 0;
  }
  if (loaded->version) {
    printf("postriderd %s\n", POSTRIDER_VERSION);
    return 0;
  }
  if (loaded->check_only) {
    printf("the settings are good\n");
    return 0;
  }
  postrider::observe::SetLogFormat(loaded->log_json ? postrider::observe::LogFormat::kJson
                                                    : postrider::observe::LogFormat::kText);
  signal(SIGPIPE, SIG_IGN);
  TakeDescriptors();
  if (loaded->reseal) return Reseal(*loaded);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // Inherited by every thread: the signals are waited for in one place.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return Serve(*loaded, signals);
}
