// Writes metrics in the Prometheus text format. Pure.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

struct MetricLabel {
  std::string_view name;
  std::string_view value;  // may be untrusted: control characters are made visible
};

class Exposition {
 public:
  // `prefix` is prepended to the name of each metric: "weir_agent_".
  explicit Exposition(std::string prefix) : prefix_(std::move(prefix)) {}

  template <class Value>
  void counter(std::string_view name, std::string_view help, Value value) {
    family(name, "counter", help);
    sample(name, value);
  }
  template <class Value>
  void gauge(std::string_view name, std::string_view help, Value value) {
    family(name, "gauge", help);
    sample(name, value);
  }
  // Begins a metric with labels; its samples follow.
  void family(std::string_view name, std::string_view type, std::string_view help);
  template <class Value>
  void sample(std::string_view name, Value value) {
    fmt::format_to(std::back_inserter(out_), "{}{} {}\n", prefix_, name, value);
  }
  template <class Value>
  void sample(std::string_view name, std::initializer_list<MetricLabel> labels, Value value) {
    fmt::format_to(std::back_inserter(out_), "{}{}{} {}\n", prefix_, name, label_text(labels), value);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  [[nodiscard]] static std::string label_text(std::initializer_list<MetricLabel> labels);

  std::string prefix_;
  std::string out_;
};

}  // namespace weir
