// Lines with compiled formats: no crash, the printed form stays one line of JSON, and what goes into a batch
// is decoded unchanged.
#include "agent/format/known.h"
#include "tests/fuzz/require.h"

namespace {

using weir::testing::require;

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
  for (const weir::KnownFormat& format : weir::known_formats())
    out.push_back(std::move(*weir::compile_format(format.spec, {})));
  out.push_back(std::move(*weir::compile_format(
      {FormatSpec::Kind::kW3c,
       "date time c-ip cs(User-Agent) cs-uri-stem sc-status time-taken x-edge-location", ""},
      {})));
  out.push_back(std::move(*weir::compile_format(
      {FormatSpec::Kind::kRegex, R"((?P<time>\S+) (?P<request>.*) (?P<status>\d+) ?(?P<other>.*))", ""},
      {})));
  return out;
}

// The records of one parser, as JSON, and the batch that contains them.
class Sent {
 public:
  void begin(const std::vector<std::string>& extra_names) {
    names_ = extra_names;
    builder_.begin(extra_names);
    records_.clear();
  }
  void add(const weir::Record& record, const std::vector<std::string>& extra_names, std::string json) {
    if (extra_names != names_) {  // a W3C directive changes the columns
      check();
      begin(extra_names);
    }
    builder_.add(record, 1);
    records_.push_back(std::move(json));
  }
  void check() {
    if (records_.empty()) return;
    weir::BatchHeader header;
    header.source.low = 1;
    header.range = {0, builder_.content_bytes()};
    const auto message = builder_.finish(header);
    require(message.has_value(), "a batch is made");
    const auto batch = weir::decode_batch(*message);
    require(batch.has_value(), batch ? "" : batch.error().what);
    require(batch->columns.records() == records_.size(), "every record comes back");
    weir::Record record;
    std::vector<std::string_view> scratch;
    std::string json;
    for (std::size_t i = 0; i < records_.size(); ++i) {
      batch->record(i, record, scratch);
      json.clear();
      weir::append_json(json, record, batch->columns.extra_names);
      require(json == records_[i], "a record comes back as it was");
    }
  }

 private:
  weir::BatchBuilder builder_;
  std::vector<std::string> names_, records_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parsers = make_parsers();
  static std::vector<Sent> sent(parsers.size());
  for (std::size_t i = 0; i < parsers.size(); ++i) sent[i].begin(parsers[i]->extra_names());
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::string json;
  weir::Record record;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string line(rest.substr(0, end));  // memory of its own, to detect reads past the end
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    for (std::size_t i = 0; i < parsers.size(); ++i) {
      auto& parser = *parsers[i];
      weir::Unparsed reason{};
      json.clear();
      const auto outcome = parser.parse(line, record, reason);
      if (outcome == weir::LineParser::Outcome::kRecord) {
        require(record.time_ms != weir::kNoTime, "a record has a time");
        weir::append_json(json, record, parser.extra_names());
        sent[i].add(record, parser.extra_names(), json);
      } else if (outcome == weir::LineParser::Outcome::kUnparsed) {
        weir::append_json_unparsed(json, line, reason);
      }
      for (const char c : json) require(static_cast<unsigned char>(c) >= 0x20, "it is one line");
    }
  }
  for (auto& batch : sent) batch.check();
  return 0;
}
