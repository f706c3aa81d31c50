// Finds the files and decides which source each one is.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "agent/core_impl.h"
#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

// How far back start_at = "end" searches for the start of the line that is being written.
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

std::vector<AgentCore::Impl::Found> AgentCore::Impl::find_files() {
  std::vector<Found> found;
  folders.clear();
  const auto expand = [&](const std::string& pattern) {
    auto result = files.glob(pattern);
    if (result.trouble) {
      all_known = false;
      troubles.add(pattern, sentence(*result.trouble));
    }
    return std::move(result.paths);
  };
  // Watch the folder if it exists, otherwise its nearest existing parent.
  const auto watch = [&](std::string folder) {
    for (; folder != "/" && folder != "."; folder = folder_of(folder)) {
      if (const auto facts = files.facts(folder); facts && facts->kind == FileKind::kFolder) break;
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

// Checks each path. If a file has several names, takes the shortest: the one it had before a rotation by hard
// link.
std::vector<AgentCore::Impl::Seen> AgentCore::Impl::see_files(const std::vector<Found>& found) {
  struct Name {
    const std::string* path;
    bool by_link;
  };
  std::vector<Seen> seen;
  std::map<const Source*, Name> names;
  for (const auto& [path, input] : found) {
    const auto facts = files.facts(path);
    if (!facts) {
      if (facts.error().code == Code::kNotFound) continue;  // gone since the glob
      all_known = false;
      troubles.add(path, sentence(facts.error()));
      continue;
    }
    if (const auto source = sources.of_file(*facts)) {
      const auto [name, first] = names.try_emplace(source.get(), Name{&path, facts->by_link});
      if (!first && path.size() < name->second.path->size()) name->second = {&path, facts->by_link};
    }
    const auto family = std::string_view(path).substr(0, log_family(path).size());
    seen.push_back({&path, family, input, *facts, registry->knows_file(*facts)});
  }
  for (const auto& [key, source] : sources.followed()) {
    const auto name = names.find(source.get());
    const bool present = name != names.end();
    if (!present && !all_known) continue;  // cannot be determined
    if (present && *name->second.path != source->path) renamed(source, *name->second.path);
    if (present) source->by_link = name->second.by_link;
    if (source->present && !present && source->quiet_since_ms == 0) source->quiet_since_ms = now();
    if (present) source->quiet_since_ms = 0;
    source->present = present;
  }
  return seen;
}

std::vector<Decision> AgentCore::Impl::scan() {
  ++scan_count;
  ++changes;
  scan_wanted = false;
  const auto begun_ms = now();
  troubles.begin_look();
  // First move truncated files to leaving, so that their copies can take over.
  for (auto at = sources.followed().begin(); at != sources.followed().end();) {
    const auto source = (at++)->second;
    check_size(source, Proof::kAlways);
  }
  all_known = true;
  const auto found = find_files();
  auto seen = see_files(found);
  // Files that the registry knows come first. Files that share a first line with one of them, for example a
  // copy that is still being written, are then compared with it. Among the rest, the oldest come first, so
  // that generations are read in order.
  std::sort(seen.begin(), seen.end(), [](const Seen& a, const Seen& b) {
    if (a.known != b.known) return a.known;
    if (a.family != b.family) return a.family < b.family;
    const bool older = older_generation(*a.path, *b.path);
    if (older != older_generation(*b.path, *a.path)) return older;
    return *a.path < *b.path;
  });
  std::vector<Decision> decisions;
  for (const auto& one : seen) {
    decisions.push_back(decide(*one.path, *one.input, one.facts));
    act(decisions.back());
  }
  settle_leaving();
  index_paths();
  release_under_pressure();
  give_up_unreadable();
  note_vanished();
  forget_old();
  note_present_and_watched();
  scanned = true;
  last_scan_ms = now();
  scan_took_ms = last_scan_ms - begun_ms;
  return decisions;
}

// Sets the paths under which the watcher may report a change of a source: its own path and that of the file
// it leads to.
void AgentCore::Impl::index_paths() {
  sources.clear_paths();
  std::map<std::string, std::shared_ptr<const std::string>> real_folders;
  for (const auto& [key, source] : sources.followed()) {
    if (!source->trouble.none()) wake(source);  // retry
    if (!source->present) continue;
    sources.set_path(source->path, source);
    if (source->by_link) {
      const auto real = files.resolved(source->path);
      source->folder = std::make_shared<const std::string>(folder_of(real));
      sources.set_path(real, source);
    } else {
      const auto [at, first] = real_folders.try_emplace(folder_of(source->path));
      const auto& [folder, real] = *at;
      if (first) at->second = std::make_shared<const std::string>(files.resolved(folder));
      source->folder = real;
      if (*real != folder) sources.set_path(in_folder(*real, source->path), source);
    }
    folders.insert(*source->folder);
  }
  lanes.sort(sources);
}

// ---- Identifying a file

Decision AgentCore::Impl::decide(const std::string& path, const InputConfig& input, const FileFacts& seen) {
  Decision decision;
  decision.path = path;
  decision.input = &input;
  const auto in_trouble = [&](const std::string& about, std::string what) {
    decision.trouble_about = about;
    decision.trouble = std::move(what);
    return decision;
  };
  const auto is_followed = [&](const std::shared_ptr<Source>& source) {
    if (source->unreadable()) decision.kind = Decision::Kind::kReopen;
    decision.source = source;
    decision.why = "the same file as " + source->path;
    return decision;
  };
  if (const auto known = sources.of_file(seen); known && !known->unreadable()) return is_followed(known);
  const auto facts = files.facts(path);
  if (!facts)
    return facts.error().code == Code::kNotFound ? decision : in_trouble(path, sentence(facts.error()));
  if (const auto known = sources.of_file(*facts)) return is_followed(known);
  if (input.ignore_older.count() > 0 && clock.wall_ms() - facts->modified_ms > input.ignore_older.count()) {
    decision.why = "not modified for longer than ignore_older";
    return decision;
  }
  if (facts->kind != FileKind::kRegular)
    return in_trouble(path, path + ": is not a regular file; exclude it from the input's paths");
  if (sources.size() >= options.max_open_files)
    return in_trouble("open files", fmt::format("{} files are open and more wait for their turn; raise the "
                                                "limit of open files (LimitNOFILE)",
                                                sources.followed().size()));
  auto content = Content::open(path, files);
  if (!content)
    return content.error().code == Code::kNotFound ? decision : in_trouble(path, sentence(content.error()));
  auto opened = (*content)->facts();
  if (!opened) return in_trouble(path, sentence(opened.error()));
  if (sources.of_file(*opened)) return decision;  // renamed since the check above
  decision.content = std::move(*content);
  decision.facts = *opened;
  decision.facts.by_link = facts->by_link;
  decision.size_bytes = decision.content->compressed() ? 0 : opened->size_bytes;
  identify_file(decision);
  return decision;
}

// Decides which source the file is.
void AgentCore::Impl::identify_file(Decision& decision) {
  auto identity = identity_of({decision.path, *decision.content, decision.facts});
  const auto in_trouble = [&](std::string what) {
    decision.trouble_about = decision.path;
    decision.trouble = std::move(what);
  };
  if (!identity) return in_trouble(sentence(identity.error()));
  switch (identity->verdict) {
    case Verdict::kWait:
      decision.why = "no whole line yet";
      return;
    case Verdict::kCopy:
      decision.why = "a copy of source " + identity->id.hex();
      return;
    case Verdict::kMoves:
      decision.kind = Decision::Kind::kMove;
      decision.id = identity->id;
      decision.source = identity->source;
      decision.offset = identity->source->reader.offset();
      decision.why = "takes over from a source that was truncated or replaced";
      return;
    case Verdict::kNew:
    case Verdict::kResumes:
      break;
  }
  if (identity->by_first_line && !all_known) {
    decision.why = "waits: the file that it begins like may be where nothing can be read";
    return in_trouble(decision.path +
                      ": begins like a file that may be where nothing can be read, and waits until it can");
  }
  auto parser = parser_for(*decision.input);
  if (!parser) return in_trouble(sentence(parser.error()));
  decision.parser = std::move(*parser);
  decision.identity = std::move(*identity);
  choose_start(decision);
}

// Decides where to start reading a new or resumed source.
void AgentCore::Impl::choose_start(Decision& decision) {
  const auto& identity = decision.identity;
  if (const auto* entry = identity.entry) {
    decision.offset = acknowledged_by(*entry, 0);
    for (std::size_t route = 1; route < routes.size(); ++route)
      decision.offset = std::min(decision.offset, acknowledged_by(*entry, route));
    decision.origin = entry->origin;
    if (decision.offset == entry->acknowledged_offset) decision.tail_hash = entry->tail_hash;
    decision.why = "continues at the acknowledged offset";
  } else if (identity.position) {
    decision.offset = *identity.position;
    decision.why = "continues where the store has counted it";
  } else if (decision.input->start_at_end && !scanned && !decision.content->compressed() &&
             !registry->knows_input(decision.input->name)) {
    const auto end = end_to_start_at(*decision.content, decision.facts.size_bytes);
    if (!end) {
      decision.trouble_about = decision.path;
      decision.trouble = sentence(end.error());
      return;
    }
    decision.offset = decision.origin = *end;
    decision.why = "new, and start_at = \"end\"";
  } else {
    decision.why =
        identity.id == identity.base ? "new" : "new: begins like another source and has other lines";
  }
  decision.kind = Decision::Kind::kFollow;
  decision.id = identity.id;
}

Result<Identity> AgentCore::Impl::identity_of(const Sighting& sighting) {
  const auto first = first_line_of(config.id, sighting);
  if (!first) return std::unexpected(first.error());
  if (first->base.empty()) return Identity{};
  Surroundings around{.agent_id = config.id,
                      .registry = *registry,
                      .followed = {},
                      .leaving = {},
                      .in_memory = [this](const SourceId& id) { return sources.in_memory(id); },
                      .position_of = options.position_of};
  for (const auto& source : sources.followed_with(first->base)) {
    if (check_size(source, Proof::kAlways)) around.followed.push_back(source);
  }
  around.leaving = sources.leaving_with(first->base);
  auto identity = identify(sighting, *first, around);
  // A source truncated in the meantime was compared by content that it no longer has.
  bool all_unchanged = true;
  for (const auto& source : around.followed) {
    auto trouble = std::exchange(source->trouble, {});
    const bool unchanged = check_size(source, Proof::kAlways);
    // After an error it is unknown whether the source has changed.
    all_unchanged = all_unchanged && unchanged && source->trouble.none();
    if (source->trouble.none()) source->trouble = std::move(trouble);
  }
  if (!all_unchanged && identity && identity->verdict != Verdict::kResumes) return Identity{};
  // The file itself may have been truncated, too, after its first line was read and before later bytes were
  // compared.
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

// ---- Acting on a decision

void AgentCore::Impl::act(Decision& decision) {
  if (!decision.trouble.empty()) troubles.add(decision.trouble_about, decision.trouble);
  switch (decision.kind) {
    case Decision::Kind::kNothing:
      break;
    case Decision::Kind::kReopen:
      reopen(decision.path, *decision.source);
      break;
    case Decision::Kind::kMove:
      take_over(decision);
      break;
    case Decision::Kind::kFollow:
      follow(decision);
      break;
  }
  // A decision may outlive the scan, so it must not keep a file open or point into the registry.
  decision.content.reset();
  decision.identity.entry = nullptr;
}

void AgentCore::Impl::follow(Decision& decision) {
  const auto& path = decision.path;
  const auto& input = *decision.input;
  const auto& facts = decision.facts;
  const auto* entry = decision.identity.entry;
  std::vector<SentRanges> ranges;
  for (std::size_t route = 0; route < routes.size(); ++route) {
    const auto offset = entry != nullptr ? acknowledged_by(*entry, route) : decision.offset;
    ranges.emplace_back(offset, offset == decision.offset ? decision.tail_hash : std::string());
  }
  const auto source = std::make_shared<Source>(
      Source{.id = decision.id,
             .base = decision.identity.base,
             .line_hash = decision.identity.line_hash,
             .path = path,
             .names = {path},
             .input = &input,
             .origin = decision.origin,
             .partition = entry != nullptr ? entry->partition : -1,
             .content = decision.content,
             .facts = facts,
             .by_link = facts.by_link,
             .folder = {},
             .trouble = {},
             .parser = std::move(decision.parser),
             .reader = LineReader(decision.content, decision.offset, decision.tail_hash, input.max_line),
             .sent = RouteRanges(std::move(ranges)),
             .lane = {},
             .claim = {}});
  source->cuts_known = some_keep_ranges() && (entry == nullptr || entry->cuts_known);
  if (some_keep_ranges() && !source->cuts_known)
    source->records_until = decision.content->compressed() ? ~std::uint64_t{0} : facts.size_bytes;
  if (entry != nullptr) {
    source->had_cuts = !some_keep_ranges() && entry->cuts_known;
    for (std::size_t route = 0; route < routes.size(); ++route) {
      for (const auto cut : entry->cuts) source->sent.of(route).cut_at(cut);
    }
    // The file was renamed since. A copy that took over is not a rename: its original may still be at the old
    // path.
    const bool same_file = entry->device == facts.device && entry->inode == facts.inode;
    if (same_file && entry->path != path) source->names.insert(source->names.begin(), entry->path);
    source->last_acknowledged_ms = entry->last_acknowledged_ms;
  }
  vanished_at_ms.erase(source->id);
  sources.add(source);
  say(LogLevel::kInfo, fmt::format("{}: opened, reading from byte {}", path, decision.offset));
  wake(source);
}

// In another folder the source gets another first-line id, the one that its copies in that folder will have.
void AgentCore::Impl::renamed(const std::shared_ptr<Source>& source, const std::string& path) {
  if (log_family(path) != log_family(source->path)) {
    const auto first = first_line_of(config.id, {path, *source->content, source->facts});
    if (!first) return;  // retried at the next scan
    if (!first->base.empty() && first->base != source->base) sources.set_base(source, first->base);
  }
  say(LogLevel::kInfo, fmt::format("{}: rotated to {}", source->path, path));
  source->rename(path);
}

// Reopens a file whose descriptor returns errors (for example a stale handle), if it is still the same file.
void AgentCore::Impl::reopen(const std::string& path, Source& source) {
  auto content = Content::open(path, files);
  if (!content) return;
  const auto facts = (*content)->facts();
  if (!facts || facts->inode != source.facts.inode || facts->device != source.facts.device) return;
  source.content = std::move(*content);
  source.reader.move_to(source.content);
}

// The source continues in another file. It keeps its offset and its registry entry.
void AgentCore::Impl::take_over(Decision& decision) {
  const bool was_followed = sources.follows(decision.source);
  say(LogLevel::kInfo, fmt::format("{}: continues in {}", decision.source->path, decision.path));
  sources.move_to_file(decision.source, [&](Source& source) {
    // The file left under the old name is a copy of its beginning, and may stay there.
    if (was_followed && source.facts.links > 0) source.names.clear();
    source.content = decision.content;
    source.reader.move_to(decision.content);
    source.facts = decision.facts;
    source.rename(decision.path);
    source.by_link = decision.facts.by_link;
    source.present = true;
    source.quiet_since_ms = 0;
    source.unread = false;
  });
  wake(decision.source);
}

}  // namespace weir
