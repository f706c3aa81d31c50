#include "common/exposition.h"

#include "common/text.h"

namespace weir {

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(out_), "# HELP {0}{1} {3}\n# TYPE {0}{1} {2}\n", prefix_, name, type,
                 help);
}

std::string Exposition::label_text(std::initializer_list<MetricLabel> labels) {
  std::string out = "{";
  for (const auto& label : labels) {
    if (out.size() > 1) out += ',';
    out += label.name;
    out += "=\"";
    for (const char c : visible(label.value)) {
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

}  // namespace weir
