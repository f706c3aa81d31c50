#include "tests/sim/files.h"

#include <fnmatch.h>

#include <algorithm>
#include <limits>

namespace weir::sim {

class SimFile : public File {
 public:
  SimFile(const SimFiles& files, std::string path, std::shared_ptr<Inode> inode)
      : files_(files), path_(std::move(path)), inode_(std::move(inode)) {}
  [[nodiscard]] Result<FileFacts> facts() const override {
    if (const auto error = files_.fault(path_)) return std::unexpected(*error);
    return files_.facts_of(*inode_);
  }
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes,
                                         std::string& out) const override {
    if (const auto error = files_.fault(path_)) return std::unexpected(*error);
    if (files_.bad_disk.contains(path_)) return fail(Code::kIo, path_ + ": simulated bad sector");
    const auto& bytes = inode_->bytes;
    if (offset >= bytes.size()) return std::size_t{0};
    auto size = std::min<std::size_t>(size_bytes, bytes.size() - offset);
    auto& faults = files_.faults;
    if (faults.random != nullptr && size > 1 && faults.random->per_mille(faults.short_per_mille))
      size = 1 + faults.random->below(size - 1);
    out.append(bytes, offset, size);
    return size;
  }
  [[nodiscard]] std::uint64_t data_from(std::uint64_t offset) const override {
    const auto at = inode_->bytes.find_first_not_of('\0', offset);
    return at == std::string::npos ? std::max<std::uint64_t>(offset, inode_->bytes.size()) : at;
  }
  [[nodiscard]] std::uint64_t free_bytes() const override { return files_.free_bytes; }

 private:
  const SimFiles& files_;
  std::string path_;
  std::shared_ptr<Inode> inode_;
};

FileFacts SimFiles::facts_of(const Inode& inode) const {
  FileFacts facts;
  facts.device = 1;
  facts.inode = inode.number;
  facts.size_bytes = inode.bytes.size();
  facts.modified_ms = inode.modified_ms;
  facts.links = inode.links;
  facts.birth_ns = inode.birth_ns;
  return facts;
}

std::optional<Error> SimFiles::fault(const std::string& path) const {
  if (between) between();
  if (faults.random == nullptr) return std::nullopt;
  if (faults.random->per_mille(faults.crash_per_mille)) throw Crash{};
  if (faults.random->per_mille(faults.error_per_mille)) return Error{Code::kIo, path + ": simulated EIO", ""};
  return std::nullopt;
}

Result<FileFacts> SimFiles::facts(const std::string& path) const {
  if (const auto error = fault(path)) return std::unexpected(*error);
  const auto at = names_.find(path);
  if (at != names_.end()) return facts_of(*at->second);
  FileFacts folder;
  folder.kind = FileKind::kFolder;
  if (!path.ends_with(".log") && path.find(".log.") == std::string::npos) return folder;
  return fail(Code::kNotFound, path + ": not there");
}

Result<std::unique_ptr<File>> SimFiles::open(const std::string& path) const {
  if (const auto error = fault(path)) return std::unexpected(*error);
  const auto at = names_.find(path);
  if (at == names_.end()) return fail(Code::kNotFound, path + ": not there");
  return std::make_unique<SimFile>(*this, path, at->second);
}

GlobResult SimFiles::glob(const std::string& pattern) const {
  GlobResult result;
  if (const auto error = fault(pattern)) {
    result.trouble = *error;
    return result;
  }
  if (bad_folders.contains(pattern)) {
    result.trouble = Error{Code::kIo, pattern + ": simulated bad sector", ""};
    return result;
  }
  if (pattern.find(".log") == std::string::npos) {
    result.paths.push_back(pattern);
    return result;
  }
  for (const auto& [path, inode] : names_) {
    if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) result.paths.push_back(path);
  }
  return result;
}

std::shared_ptr<Inode> SimFiles::create(const std::string& path) {
  auto inode = std::make_shared<Inode>();
  // Inode numbers that nobody has open any more are reused at once, last one first.
  std::erase_if(unlinked_, [&](const auto& old) { return old.expired(); });
  std::set<std::uint64_t> used;
  for (const auto& old : unlinked_) {
    if (const auto held = old.lock()) used.insert(held->number);
  }
  auto number = next_number_;
  for (auto at = free_numbers_.rbegin(); at != free_numbers_.rend(); ++at) {
    if (!used.contains(*at)) {
      number = *at;
      break;
    }
  }
  if (number == next_number_) {
    ++next_number_;
  } else {
    free_numbers_.erase(number);
  }
  inode->number = number;
  inode->birth_ns = clock_.wall_ms() * 1'000'000 + ++births_;
  inode->modified_ms = clock_.wall_ms();
  inode->links = 1;
  if (const auto old = find(path)) drop(old);
  names_[path] = inode;
  if (on_change) on_change(path, true);
  return inode;
}

std::shared_ptr<Inode> SimFiles::find(const std::string& path) const {
  const auto at = names_.find(path);
  return at == names_.end() ? nullptr : at->second;
}

void SimFiles::told(const Inode* inode) {
  if (!on_change) return;
  for (const auto& [path, of] : names_) {
    if (of.get() == inode) on_change(path, false);
  }
}

void SimFiles::append(const std::shared_ptr<Inode>& inode, const std::string& bytes) {
  inode->bytes += bytes;
  inode->modified_ms = clock_.wall_ms();
  told(inode.get());
}

void SimFiles::write_at(const std::shared_ptr<Inode>& inode, std::uint64_t offset, const std::string& bytes) {
  if (inode->bytes.size() < offset + bytes.size()) inode->bytes.resize(offset + bytes.size(), '\0');
  inode->bytes.replace(offset, bytes.size(), bytes);
  inode->modified_ms = clock_.wall_ms();
  told(inode.get());
}

void SimFiles::truncate(const std::shared_ptr<Inode>& inode) {
  inode->bytes.clear();
  inode->modified_ms = clock_.wall_ms();
  told(inode.get());
}

void SimFiles::drop(const std::shared_ptr<Inode>& inode) {
  if (--inode->links > 0) return;
  unlinked_.push_back(inode);
  free_numbers_.insert(inode->number);
}

void SimFiles::rename(const std::string& from, const std::string& to) {
  const auto inode = find(from);
  if (!inode) return;
  if (const auto old = find(to)) drop(old);
  names_.erase(from);
  names_[to] = inode;
  if (on_change) {
    on_change(from, true);
    on_change(to, true);
  }
}

void SimFiles::link(const std::string& from, const std::string& to) {
  const auto inode = find(from);
  if (!inode || find(to)) return;
  ++inode->links;
  names_[to] = inode;
  if (on_change) on_change(to, true);
}

void SimFiles::unlink(const std::string& path) {
  const auto inode = find(path);
  if (!inode) return;
  names_.erase(path);
  drop(inode);
  if (on_change) on_change(path, true);
}

}  // namespace weir::sim
