// Codecs "json" and "raw": one line of text for each line of the log that has data.
#include <utility>

#include "agent/ship/encoders.h"
#include "proto/must.h"

namespace weir {
namespace {

// Appends lines to a text. The text needs no limit of its own, because the reader limits a batch.
class TextEncoder : public Encoder {
 public:
  void begin(const std::vector<std::string>& extra_names, const EncoderOptions& /*options*/) override {
    text_.clear();
    extra_names_ = &extra_names;
  }
  [[nodiscard]] bool add(const ParsedLine& line) final {
    if (line.outcome == LineParser::Outcome::kSkip) return false;
    append(line, text_);
    text_.push_back('\n');
    return false;
  }
  [[nodiscard]] Result<std::string> finish(const BatchHeader& /*header*/) final {
    MUST(text_.empty() || text_.back() == '\n', "a text ends with a whole line");
    return std::exchange(text_, {});
  }

 protected:
  virtual void append(const ParsedLine& line, std::string& text) = 0;
  [[nodiscard]] const std::vector<std::string>& extra_names() const { return *extra_names_; }

 private:
  std::string text_;
  const std::vector<std::string>* extra_names_ = nullptr;
};

class JsonEncoder final : public TextEncoder {
 protected:
  void append(const ParsedLine& line, std::string& text) override {
    if (line.outcome == LineParser::Outcome::kRecord) {
      append_json(text, line.record, extra_names());
    } else {
      append_json_unparsed(text, line.line, line.reason);
    }
  }
};

class RawEncoder final : public TextEncoder {
 protected:
  void append(const ParsedLine& line, std::string& text) override { text.append(line.line); }
};

}  // namespace

std::unique_ptr<Encoder> make_json_encoder(int /*zstd_level*/) { return std::make_unique<JsonEncoder>(); }

std::unique_ptr<Encoder> make_raw_encoder(int /*zstd_level*/) { return std::make_unique<RawEncoder>(); }

}  // namespace weir
