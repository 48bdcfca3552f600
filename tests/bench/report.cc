#include "tests/bench/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace postrider::bench {
namespace {

// Three digits that say something.
std::string Number(double value) {
  const double size = std::fabs(value);
  return absl::StrFormat("%.*f",
                         size >= 100 || size == 0 ? 0
                         : size >= 10             ? 1
                         : size >= 1              ? 2
                                                  : 3,
                         value);
}

}  // namespace

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Report::Add(absl::string_view measure, double value) {
  for (Measure& known : measures_) {
    if (known.name == measure) {
      known.values.push_back(value);
      return;
    }
  }
  measures_.push_back({std::string(measure), {value}});
}

std::vector<std::pair<std::string, double>> Report::Medians() const {
  std::vector<std::pair<std::string, double>> medians;
  for (const Measure& measure : measures_) {
    medians.emplace_back(measure.name, Median(measure.values));
  }
  return medians;
}

std::string Report::ToText() const {
  std::string text = absl::StrCat("\n", name_, ": ", settings_, "\n");
  for (const Measure& measure : measures_) {
    const auto [least, greatest] =
        std::minmax_element(measure.values.begin(), measure.values.end());
    absl::StrAppendFormat(&text, "  %-52s %10s", measure.name, Number(Median(measure.values)));
    if (measure.values.size() > 1) {
      absl::StrAppend(&text, "   (", Number(*least), " to ", Number(*greatest), ")");
    }
    text += '\n';
  }
  return text;
}

std::string Report::ToJson() const {
  std::vector<std::string> measures;
  for (const Measure& measure : measures_) {
    measures.push_back(absl::StrCat("\"", measure.name, "\": {\"median\": ", Median(measure.values),
                                    ", \"runs\": [", absl::StrJoin(measure.values, ", "), "]}"));
  }
  return absl::StrCat("{\"case\": \"", name_, "\", \"settings\": \"", settings_,
                      "\", \"measures\": {", absl::StrJoin(measures, ", "), "}}");
}

}  // namespace postrider::bench
