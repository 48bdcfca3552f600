// What was measured, for people and for scripts.

#ifndef POSTRIDER_TESTS_BENCH_REPORT_H_
#define POSTRIDER_TESTS_BENCH_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace postrider::bench {

// The measures of one case over its runs. Thread-compatible.
class Report {
 public:
  // `settings` says what was run, in a few words.
  Report(std::string name, std::string settings)
      : name_(std::move(name)), settings_(std::move(settings)) {}

  // One run's value; the name ends in its unit.
  void Add(absl::string_view measure, double value);

  std::vector<std::pair<std::string, double>> Medians() const;

  // A line a measure: median, least and greatest of the runs.
  std::string ToText() const;

  // One object: name, settings, and a measure's median and runs.
  std::string ToJson() const;

 private:
  struct Measure {
    std::string name;
    std::vector<double> values;  // by run
  };

  const std::string name_;
  const std::string settings_;
  std::vector<Measure> measures_;
};

double Median(std::vector<double> values);

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_REPORT_H_
