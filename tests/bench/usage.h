// What processes used so far, as Linux counts it.

#ifndef POSTRIDER_TESTS_BENCH_USAGE_H_
#define POSTRIDER_TESTS_BENCH_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace postrider::bench {

// CPU seconds, user and system, of all threads of a process, in steps of 10 ms; 0 if it is gone.
double CpuSecondsOf(pid_t process);

// The same of a process, all its children, and those of its children that have ended, as of
// PostgreSQL's postmaster.
double CpuSecondsOfFamily(pid_t process);

// Resident memory of a process, bytes; 0 if it is gone.
int64_t ResidentBytesOf(pid_t process);

// Processor, cores, memory, kernel and load of this machine, in one line.
std::string DescribeMachine();

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_USAGE_H_
