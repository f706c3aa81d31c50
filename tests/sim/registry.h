// The registry's file after a crash. Each write takes effect completely or not at all. The last writes may be
// lost in a power cut, the whole file may be gone, or an old backup may have replaced it.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "agent/tail/registry.h"
#include "tests/sim/random.h"

namespace weir::sim {

struct RegistryDisk {
  struct Image {
    std::uint64_t instance = 0;
    std::map<SourceId, RegistryEntry> entries;
    std::vector<Loss> losses;
  };
  Image image;
  std::deque<Image> before;  // newest last
  std::uint64_t writes = 0;

  void lose_last(std::size_t writes_lost) {
    for (; writes_lost > 0 && !before.empty(); --writes_lost) {
      image = before.back();
      before.pop_back();
    }
  }
  void wipe() {
    image = {};
    before.clear();
  }
};

class SimRegistryFile : public RegistryFile {
 public:
  SimRegistryFile(RegistryDisk& disk, Random& random, const std::uint64_t& fail_per_mille,
                  const std::uint64_t& crash_per_mille)
      : disk_(disk), random_(random), fail_per_mille_(fail_per_mille), crash_per_mille_(crash_per_mille) {}
  [[nodiscard]] Result<RegistryContent> load() override {
    if (disk_.image.instance == 0) disk_.image.instance = random_.next() | 1U;
    RegistryContent content;
    content.instance = disk_.image.instance;
    for (const auto& [id, entry] : disk_.image.entries) content.entries.push_back(entry);
    content.losses = disk_.image.losses;
    return content;
  }
  [[nodiscard]] Result<void> write(const Change& change) override {
    if (random_.per_mille(crash_per_mille_)) throw Crash{};
    if (random_.per_mille(fail_per_mille_)) return fail(Code::kIo, "registry: simulated full disk");
    disk_.before.push_back(disk_.image);
    if (disk_.before.size() > 8) disk_.before.pop_front();
    if (change.durable) disk_.before.clear();  // a power cut loses neither this write nor earlier ones
    ++disk_.writes;
    for (const auto* entry : change.put) disk_.image.entries[entry->id] = *entry;
    for (const auto& id : change.forgotten) disk_.image.entries.erase(id);
    if (change.losses != nullptr) disk_.image.losses = *change.losses;
    if (random_.per_mille(crash_per_mille_)) throw Crash{};
    return {};
  }

 private:
  RegistryDisk& disk_;
  Random& random_;
  const std::uint64_t& fail_per_mille_;
  const std::uint64_t& crash_per_mille_;
};

}  // namespace weir::sim
