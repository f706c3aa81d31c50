// Which files there are, and which source each of them is.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "agent/core_impl.h"
#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

// How far back a start_at = "end" looks for the start of the line that is being written.
constexpr std::uint64_t kLineStartBytes = 1U << 20;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string in_folder(const std::string& folder, const std::string& path) {
  return folder + (folder.ends_with('/') ? "" : "/") + path.substr(path.rfind('/') + 1);
}

bool matches(const std::vector<std::string>& globs, const std::string& path, int flags) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), path.c_str(), flags) == 0;
  });
}

}  // namespace

Result<std::shared_ptr<LineParser>> AgentCore::Impl::parser_for(const InputConfig& input) {
  if (const auto known = parsers.find(&input); known != parsers.end()) return known->second;
  const auto own = config.formats.find(input.format);
  const auto spec =
      own != config.formats.end() ? Result<FormatSpec>(own->second) : named_format(input.format);
  if (!spec) return std::unexpected(spec.error());
  auto made = compile_format(*spec, input.client);
  if (!made) return std::unexpected(made.error());
  std::shared_ptr<LineParser> parser = std::move(*made);
  if (!parser->reads_directives()) parsers.emplace(&input, parser);
  return parser;
}

void AgentCore::Impl::problem(const std::string& key, std::string what) {
  if (problems.size() < kMaxProblems || problems.contains(key)) problems[key] = std::move(what);
}

std::vector<AgentCore::Impl::Found> AgentCore::Impl::find_files() {
  std::vector<Found> found;
  folders.clear();
  const auto expand = [&](const std::string& pattern) {
    auto result = files.glob(pattern);
    if (result.trouble) {
      all_known = false;
      problem(pattern, sentence(*result.trouble));
    }
    return std::move(result.paths);
  };
  // The folder itself when it exists, else the nearest one above it that does.
  const auto watch = [&](std::string folder) {
    for (; folder != "/" && folder != "."; folder = folder_of(folder)) {
      if (const auto facts = files.look(folder); facts && facts->kind == FileKind::kFolder) break;
    }
    folders.insert(std::move(folder));
  };
  for (const auto& input : config.inputs) {
    for (const auto& pattern : input.paths) {
      for (const auto& folder : expand(folder_of(pattern))) watch(folder);
      auto fixed = folder_of(pattern);
      while (fixed.find_first_of("*?[") != std::string::npos) fixed = folder_of(fixed);
      watch(fixed);
      for (auto& path : expand(pattern)) {
        if (!matches(input.exclude, path, 0)) found.push_back({std::move(path), &input});
      }
    }
  }
  return found;
}

void AgentCore::Impl::scan() {
  ++scan_count;
  ++changes;
  scan_wanted = false;
  const auto begun_ms = now();
  problems.clear();
  // A truncated file must have made way for its copy.
  for (auto at = sources.begin(); at != sources.end();) {
    const auto source = (at++)->second;
    look_at_size(source, Proof::kAlways);
  }
  all_known = true;
  const auto found = find_files();
  struct Seen {
    const std::string& path;
    std::string_view family;  // the beginning of `path`
    const InputConfig* input;
    FileFacts facts;
    bool known;
  };
  std::vector<Seen> seen;
  std::map<const Source*, std::pair<const std::string*, bool>> there;  // its name, and whether that is a link
  for (const auto& [path, input] : found) {
    const auto facts = files.look(path);
    if (!facts) {
      if (facts.error().code == Code::kNotFound) continue;  // gone since the glob
      all_known = false;
      problem(path, sentence(facts.error()));
      continue;
    }
    const FileKey key{facts->device, facts->inode};
    if (const auto at = sources.find(key); at != sources.end()) {
      // Of several names the shortest: the one that it had before a rotation by hard link.
      const auto [name, first] = there.try_emplace(at->second.get(), &path, facts->by_link);
      if (!first && path.size() < name->second.first->size()) name->second = {&path, facts->by_link};
    }
    const auto family = std::string_view(path).substr(0, log_family(path).size());
    seen.push_back({path, family, input, *facts, registry->knows_file(*facts)});
  }
  for (auto& [key, source] : sources) {
    const auto name = there.find(source.get());
    const bool present = name != there.end();
    if (!present && !all_known) continue;  // nobody can tell
    if (present && *name->second.first != source->path) renamed(source, *name->second.first);
    if (present) source->by_link = name->second.second;
    if (source->present && !present && source->quiet_since_ms == 0) source->quiet_since_ms = now();
    if (present) source->quiet_since_ms = 0;
    source->present = present;
  }
  // Files that were followed before come first: what shares its first line with one of them, a
  // copy that is still being written say, is then compared with it. Then the oldest, so that
  // generations are read in their order.
  std::vector<const Seen*> turns;
  for (const auto& one : seen) turns.push_back(&one);
  std::sort(turns.begin(), turns.end(), [](const Seen* a, const Seen* b) {
    if (a->known != b->known) return a->known;
    if (a->family != b->family) return a->family < b->family;
    if (older_generation(a->path, b->path) != older_generation(b->path, a->path))
      return older_generation(a->path, b->path);
    return a->path < b->path;
  });
  for (const auto* one : turns) look_at(one->path, *one->input, one->facts);
  settle_leaving();
  index_paths();
  release_under_pressure();
  give_up_unreadable();
  note_missing();
  forget_old();
  note_present_and_told();
  scanned = true;
  last_scan_ms = now();
  scan_took_ms = last_scan_ms - begun_ms;
}

// Under which paths a change of a source may be told: its own, and that of the file that this leads to.
void AgentCore::Impl::index_paths() {
  by_path.clear();
  std::map<std::string, std::shared_ptr<const std::string>> real_folders;
  for (auto& [key, source] : sources) {
    if (!source->trouble.empty()) mark(source);  // tried again
    if (!source->present) continue;
    by_path[source->path] = source;
    if (source->by_link) {
      const auto real = files.resolved(source->path);
      source->folder = std::make_shared<const std::string>(folder_of(real));
      by_path[real] = source;
    } else {
      const auto [at, first] = real_folders.try_emplace(folder_of(source->path));
      const auto& [folder, real] = *at;
      if (first) at->second = std::make_shared<const std::string>(files.resolved(folder));
      source->folder = real;
      if (*real != folder) by_path[in_folder(*real, source->path)] = source;
    }
    folders.insert(*source->folder);
  }
  sort_lanes();
}

void AgentCore::Impl::look_at(const std::string& path, const InputConfig& input, const FileFacts& seen) {
  if (const auto known = sources.find({seen.device, seen.inode});
      known != sources.end() && planned == nullptr && !known->second->trouble.starts_with(kUnreadable))
    return;
  const auto facts = files.look(path);
  if (!facts) {
    if (facts.error().code != Code::kNotFound) problem(path, sentence(facts.error()));
    return;
  }
  if (const auto known = sources.find({facts->device, facts->inode}); known != sources.end()) {
    if (known->second->trouble.starts_with(kUnreadable)) reopen(path, *known->second);
    if (planned != nullptr) planned->push_back({path, {}, 0, 0, "the same file as " + known->second->path});
    return;
  }
  if (input.ignore_older.count() > 0 && clock.wall_ms() - facts->modified_ms > input.ignore_older.count()) {
    if (planned != nullptr) planned->push_back({path, {}, 0, 0, "not modified for longer than ignore_older"});
    return;
  }
  if (facts->kind != FileKind::kRegular) {
    problem(path, path + ": is not a regular file; exclude it from the input's paths");
    return;
  }
  if (sources.size() + leaving.size() >= options.max_open_files) {
    problem("open files",
            fmt::format("{} files are open and more wait for their turn; raise the limit of open "
                        "files (LimitNOFILE)",
                        sources.size()));
    return;
  }
  auto content = Content::open(path, files);
  if (!content) {
    if (content.error().code != Code::kNotFound) problem(path, sentence(content.error()));
    return;
  }
  auto opened = (*content)->facts();
  if (!opened) {
    problem(path, sentence(opened.error()));
    return;
  }
  opened->by_link = facts->by_link;
  if (sources.contains({opened->device, opened->inode})) return;  // renamed since the look
  open_source(path, input, std::move(*content), *opened);
}

Result<Identity> AgentCore::Impl::who_is(const Sighting& sighting) {
  const auto first = first_line_of(config.id, sighting);
  if (!first) return std::unexpected(first.error());
  if (first->base.empty()) return Identity{};
  Surroundings around{.agent_id = config.id,
                      .registry = *registry,
                      .followed = {},
                      .leaving = {},
                      .in_memory = [this](const SourceId& id) { return living.contains(id); },
                      .position_of = options.position_of};
  const auto [begin, end] = by_base.equal_range(first->base);
  std::vector<std::shared_ptr<Source>> followed;
  for (auto at = begin; at != end; ++at) followed.push_back(at->second);
  for (const auto& source : followed) {
    if (look_at_size(source, Proof::kAlways)) around.followed.push_back(source);
  }
  for (const auto& source : leaving) {
    if (source->base == first->base) around.leaving.push_back(source);
  }
  auto identity = identify(sighting, *first, around);
  // Whoever was truncated meanwhile was compared as something that it is not any more.
  bool all_there = true;
  for (const auto& source : around.followed) {
    auto trouble = std::exchange(source->trouble, {});
    const bool there = look_at_size(source, Proof::kAlways);
    // An error says nothing of what it was.
    all_there = all_there && there && source->trouble.empty();
    if (source->trouble.empty()) source->trouble = std::move(trouble);
  }
  if (!all_there && identity && identity->verdict != Verdict::kResumes) return Identity{};
  // So was the file itself, maybe, between its first line and what was compared behind it.
  const auto again = first_line_of(config.id, sighting);
  if (!again) return std::unexpected(again.error());
  if (again->line_hash != first->line_hash) {
    scan_wanted = true;
    return Identity{};
  }
  return identity;
}

Result<std::uint64_t> AgentCore::Impl::end_to_start_at(Content& content, std::uint64_t size_bytes) const {
  std::string tail;
  const auto from = size_bytes > kLineStartBytes ? size_bytes - kLineStartBytes : 0;
  if (const auto got = read_whole(content, from, size_bytes - from, tail); !got)
    return std::unexpected(got.error());
  const auto newline = tail.rfind('\n');
  return newline == std::string::npos ? (from == 0 ? 0 : size_bytes) : from + newline + 1;
}

void AgentCore::Impl::open_source(const std::string& path, const InputConfig& input,
                                  std::shared_ptr<Content> content, const FileFacts& facts) {
  const auto plan = [&](const SourceId& id, std::uint64_t offset, std::string why) {
    if (planned != nullptr)
      planned->push_back({path, id, offset, content->compressed() ? 0 : facts.size_bytes, std::move(why)});
  };
  const auto identity = who_is({path, *content, facts});
  if (!identity) {
    problem(path, sentence(identity.error()));
    return;
  }
  switch (identity->verdict) {
    case Verdict::kWait:
      plan({}, 0, "no whole line yet");
      return;
    case Verdict::kCopy:
      plan({}, 0, "a copy of source " + identity->id.hex());
      return;
    case Verdict::kMoves:
      plan(identity->id, identity->source->reader.offset(),
           "takes over from a source that was truncated or replaced");
      take_over(identity->source, path, std::move(content), facts);
      return;
    case Verdict::kNew:
    case Verdict::kResumes:
      break;
  }
  if (identity->by_first_line && !all_known) {
    plan({}, 0, "waits: the file that it begins like may be where nothing can be read");
    problem(path,
            path + ": begins like a file that may be where nothing can be read, and waits until it can");
    return;
  }
  auto parser = parser_for(input);
  if (!parser) {
    problem(path, sentence(parser.error()));
    return;
  }
  std::uint64_t offset = 0;
  std::uint64_t origin = 0;
  std::string tail;
  const auto* entry = identity->entry;
  if (entry != nullptr) {
    offset = entry->acknowledged_offset;
    origin = entry->origin;
    tail = entry->tail_hash;
    plan(identity->id, offset, "goes on where it was acknowledged");
  } else if (identity->position) {
    offset = *identity->position;
    plan(identity->id, offset, "goes on where the store has counted it");
  } else if (input.start_at_end && !scanned && !content->compressed() && !registry->knows_input(input.name)) {
    const auto end = end_to_start_at(*content, facts.size_bytes);
    if (!end) {
      problem(path, sentence(end.error()));
      return;
    }
    offset = origin = *end;
    plan(identity->id, offset, "new, and start_at = \"end\"");
  } else {
    plan(identity->id, 0,
         identity->id == identity->base ? "new" : "new: begins like another source and has other lines");
  }
  auto source = std::make_shared<Source>(Source{.path = path,
                                                .names = {path},
                                                .input = &input,
                                                .content = content,
                                                .facts = facts,
                                                .parser = std::move(*parser),
                                                .id = identity->id,
                                                .base = identity->base,
                                                .line_hash = identity->line_hash,
                                                .origin = origin,
                                                .partition = entry != nullptr ? entry->partition : -1,
                                                .reader = LineReader(content, offset, tail, input.max_line),
                                                .sent = SentRanges(offset, tail),
                                                .folder = {},
                                                .by_link = facts.by_link,
                                                .trouble = {}});
  source->cuts_known = ships != Ship::kRecords && (entry == nullptr || entry->cuts_known);
  if (ships != Ship::kRecords && !source->cuts_known)
    source->records_until = content->compressed() ? ~std::uint64_t{0} : facts.size_bytes;
  if (entry != nullptr) {
    source->had_cuts = ships == Ship::kRecords && entry->cuts_known;
    for (const auto cut : entry->cuts) source->sent.cut_at(cut);
    // Renamed since. A copy that took over is no rename: its original may be where it was.
    const bool same_file = entry->device == facts.device && entry->inode == facts.inode;
    if (same_file && entry->path != path) source->names.insert(source->names.begin(), entry->path);
    source->last_acknowledged_ms = entry->last_acknowledged_ms;
  }
  missing_since.erase(source->id);
  add(source);
}

// In another folder it is known by another first-line id: copies of it that are made there have that one.
void AgentCore::Impl::renamed(const std::shared_ptr<Source>& source, const std::string& path) {
  if (log_family(path) != log_family(source->path)) {
    const auto first = first_line_of(config.id, {path, *source->content, source->facts});
    if (!first) return;  // asked again at the next look
    if (!first->base.empty() && first->base != source->base) {
      unindex(source);
      source->base = first->base;
      by_base.emplace(source->base, source);
      source->registry_dirty = true;
    }
  }
  source->named(path);
}

// A descriptor that gives errors (a stale handle, say) is opened anew, if the file is the same.
void AgentCore::Impl::reopen(const std::string& path, Source& source) {
  auto content = Content::open(path, files);
  if (!content) return;
  const auto facts = (*content)->facts();
  if (!facts || facts->inode != source.facts.inode || facts->device != source.facts.device) return;
  source.content = std::move(*content);
  source.reader.move_to(source.content);
}

// `source` goes on in another file: what was read of it and its place in the registry stay.
void AgentCore::Impl::take_over(const std::shared_ptr<Source>& source, const std::string& path,
                                std::shared_ptr<Content> content, const FileFacts& facts) {
  remove(source);
  // What is left under its name is a copy of its beginning, and may stay there.
  if (std::erase(leaving, source) == 0 && source->facts.links > 0) source->names.clear();
  source->content = content;
  source->reader.move_to(std::move(content));
  source->facts = facts;
  source->named(path);
  source->by_link = facts.by_link;
  source->present = true;
  source->quiet_since_ms = 0;
  source->registry_dirty = true;
  add(source);
  drop_living(source->id);  // add() counted it once more
}

}  // namespace weir
