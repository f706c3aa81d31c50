#include "agent/troubles.h"

#include <utility>

#include "proto/must.h"

namespace weir {
namespace {

constexpr std::int64_t kSayAgainMs = 60'000;
constexpr const char* kRegistry = "registry";

}  // namespace

void Troubles::add(const std::string& about, std::string sentence) {
  if (files_.size() < kMost || files_.contains(about)) files_[about] = std::move(sentence);
}

bool Troubles::set_registry(std::string sentence) {
  if (sentence == registry_) return false;
  registry_ = std::move(sentence);
  return true;
}

std::vector<std::string> Troubles::sentences() const {
  std::vector<std::string> out;
  if (!registry_.empty()) out.push_back(registry_);
  for (const auto& [about, sentence] : files_) out.push_back(sentence);
  return out;
}

void Troubles::say(std::map<std::string, std::string> more, std::int64_t now_ms, const Say& say) {
  if (!registry_.empty()) more[kRegistry] = registry_;
  for (const auto& [about, sentence] : files_) more[about] = sentence;
  std::erase_if(last_said_ms_, [&](const auto& said) { return now_ms - said.second >= kSayAgainMs; });
  for (const auto& [about, sentence] : more) {
    if (last_said_ms_.try_emplace(about, now_ms).second) say(LogLevel::kWarning, sentence);
  }
}

void Troubles::check() const { MUST(files_.size() <= kMost, "the troubles that are kept are bounded"); }

}  // namespace weir
