// Lines against compiled formats: no crash, and what is printed stays one line of JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/format/parser.h"

namespace {

std::vector<std::unique_ptr<weir::LineParser>> make_parsers() {
  using weir::FormatSpec;
  const weir::ClientConfig client{{"127.0.0.0/8", "10.0.0.0/8", "unix:"}, {"http_x_forwarded_for"}};
  const std::string all =
      "$remote_addr - $remote_user [$time_local] $upstream_addr $upstream_status $upstream_response_time "
      "$request_time $pipe \"$request\" $status \"$http_x_forwarded_for\" \"$unknown\"";
  std::vector<std::unique_ptr<weir::LineParser>> out;
  for (const char* escape : {"default", "json", "none"}) {
    out.push_back(std::move(*weir::compile_format({FormatSpec::Kind::kNginx, all, escape}, client)));
  }
  for (const char* name : {"combined", "w3c"}) {
    out.push_back(std::move(*weir::compile_format(*weir::named_format(name), {})));
  }
  out.push_back(std::move(*weir::compile_format(
      {FormatSpec::Kind::kW3c,
       "date time c-ip cs(User-Agent) cs-uri-stem sc-status time-taken x-edge-location", ""},
      {})));
  out.push_back(std::move(*weir::compile_format(
      {FormatSpec::Kind::kRegex, R"((?P<time>\S+) (?P<request>.*) (?P<status>\d+) ?(?P<other>.*))", ""},
      {})));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parsers = make_parsers();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::string json;
  weir::Record record;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string line(rest.substr(0, end));  // its own memory: reads past the end are seen
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    for (const auto& parser : parsers) {
      weir::Unparsed reason{};
      json.clear();
      if (parser->parse(line, record, reason) == weir::LineParser::Outcome::kRecord) {
        if (record.time_ms == weir::kNoTime) std::abort();
        weir::append_json(json, record, parser->extra_names());
      } else {
        weir::append_json_unparsed(json, line, reason);
      }
      for (const char c : json) {
        if (static_cast<unsigned char>(c) < 0x20) std::abort();
      }
    }
  }
  return 0;
}
