// The table of settings: their names, their help, and how each is checked and kept.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/config/config.h"

namespace postrider::config {

using Values = std::vector<std::string>;

enum class Arity { kValue, kSwitch, kRepeated };

struct Setting {
  std::string name;
  std::string value_name;  // of the help
  std::string default_text;
  std::string meaning;
  Arity arity = Arity::kValue;
  // Empty text: fine. Else what is wrong, as "must be ...".
  std::function<std::string(Config&, const Values&)> apply;
};

const std::vector<Setting>& Settings();

}  // namespace postrider::config
