#include "agent/tail/registry.h"

#include <algorithm>
#include <random>
#include <utility>

namespace weir {

std::uint64_t new_instance() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

Result<std::unique_ptr<Registry>> Registry::open(std::unique_ptr<RegistryFile> file) {
  auto content = file->load();
  if (!content) return std::unexpected(content.error());
  std::unique_ptr<Registry> registry(new Registry);
  registry->file_ = std::move(file);
  registry->instance_ = content->instance;
  registry->note_ = std::move(content->note);
  registry->losses_ = std::move(content->losses);
  for (auto& entry : content->entries) {
    registry->index(entry);
    registry->entries_.emplace(entry.id, std::move(entry));
  }
  return registry;
}

Result<std::unique_ptr<Registry>> Registry::open(const std::string& state_dir) {
  auto file = open_registry_file(state_dir);
  if (!file) return std::unexpected(file.error());
  return open(std::move(*file));
}

std::unique_ptr<Registry> Registry::in_memory() {
  std::unique_ptr<Registry> registry(new Registry);
  registry->instance_ = new_instance();
  return registry;
}

const RegistryEntry* Registry::find(const SourceId& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<const RegistryEntry*> Registry::candidates(const SourceId& base, std::uint64_t device,
                                                       std::uint64_t inode,
                                                       const std::string& line_hash) const {
  std::vector<const RegistryEntry*> found;
  const auto [first, last] = by_base_.equal_range(base);
  for (auto at = first; at != last; ++at) found.push_back(&entries_.at(at->second));
  const auto [begin, end] = by_inode_.equal_range(inode);
  for (auto at = begin; at != end; ++at) {
    const auto& entry = entries_.at(at->second);
    const bool same_line = entry.line_hash.empty() || entry.line_hash == line_hash;
    if (entry.device == device && entry.base != base && same_line) found.push_back(&entry);
  }
  return found;
}

bool Registry::knows_file(const FileFacts& file) const {
  const auto [begin, end] = by_inode_.equal_range(file.inode);
  return std::any_of(begin, end, [&](const auto& at) {
    const auto& entry = entries_.at(at.second);
    // An inode number may be reused; the birth time then differs.
    return entry.device == file.device && (entry.birth_ns == 0 || entry.birth_ns == file.birth_ns);
  });
}

bool Registry::knows_input(const std::string& input) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const auto& entry) { return entry.second.input == input; });
}

void Registry::index(const RegistryEntry& entry) {
  by_base_.emplace(entry.base, entry.id);
  by_inode_.emplace(entry.inode, entry.id);
}

void Registry::unindex(const RegistryEntry& entry) {
  const auto remove = [&](auto& map, const auto& key) {
    const auto [begin, end] = map.equal_range(key);
    for (auto at = begin; at != end; ++at) {
      if (at->second == entry.id) {
        map.erase(at);
        return;
      }
    }
  };
  remove(by_base_, entry.base);
  remove(by_inode_, entry.inode);
}

void Registry::put(const RegistryEntry& entry) {
  const auto [at, added] = entries_.try_emplace(entry.id);
  if (!added && at->second == entry) return;
  if (added) {
    index(entry);
  } else if (at->second.base != entry.base || at->second.inode != entry.inode) {
    unindex(at->second);
    index(entry);
  }
  at->second = entry;
  if (!file_) return;
  dirty_.insert(entry.id);
  forgotten_.erase(entry.id);
}

void Registry::forget(const SourceId& id) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  unindex(at->second);
  entries_.erase(at);
  dirty_.erase(id);
  if (file_) forgotten_.insert(id);
}

void Registry::add_loss(Loss loss) {
  losses_.push_back(std::move(loss));
  losses_dirty_ = true;
}

void Registry::remove_loss(const Loss& loss) {
  if (std::erase(losses_, loss) > 0) losses_dirty_ = true;
}

Result<void> Registry::flush(Keep keep) {
  durable_ |= keep == Keep::kThroughPowerCuts;
  const bool clean = dirty_.empty() && forgotten_.empty() && !losses_dirty_;
  if (!file_ || (clean && (!durable_ || !unsynced_))) {
    durable_ = false;
    return {};
  }
  RegistryFile::Change change;
  for (const auto& id : dirty_) change.put.push_back(&entries_.at(id));
  change.forgotten.assign(forgotten_.begin(), forgotten_.end());
  if (losses_dirty_) change.losses = &losses_;
  change.durable = durable_;
  // Only a write syncs the disk, including all writes before it. So if nothing has changed, write one entry
  // again.
  if (clean && !entries_.empty()) change.put.push_back(&entries_.begin()->second);
  if (auto written = file_->write(change); !written) return written;
  dirty_.clear();
  forgotten_.clear();
  losses_dirty_ = false;
  unsynced_ = !durable_;
  durable_ = false;
  return {};
}

}  // namespace weir
