// The syntax of nginx.conf. Turns text into a tree of directives and follows includes.
#pragma once

#include "agent/format/nginx_conf.h"

namespace weir {

struct NginxDirective {
  std::vector<std::string> words;  // the first one is the name
  std::vector<NginxDirective> block;
  bool has_block = false;
  std::string file;
  std::uint32_t line = 0;
  [[nodiscard]] std::string where() const;
};

[[nodiscard]] Result<std::vector<NginxDirective>> parse_nginx_syntax(const std::string& path,
                                                                     const NginxConfFiles& files);

}  // namespace weir
