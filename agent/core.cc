#include "agent/core.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "agent/tail/identity.h"
#include "agent/tail/source.h"

namespace weir {
namespace {

constexpr std::string_view kUnreadable = "unreadable: ";
constexpr const char* kTruncatedState = "truncated";
constexpr std::int64_t kRegistryFlushMs = 200;
constexpr std::int64_t kScanPauseMs = 10;  // between two that events ask for
constexpr std::int64_t kSayAgainMs = 60'000;
constexpr std::int64_t kLossAgainMs = 1000;
constexpr std::int64_t kSendAgainMs = 500;  // after a failure
// Of one source that is shipped as windows: each has its end in the registry.
constexpr std::size_t kMaxCutsInFlight = 16;
// Batches that wait for one write of the registry before they are sent.
constexpr std::size_t kMaxStaged = 256;
constexpr std::size_t kMaxStagedBytes = 16 << 20;
// A writer that was not told of a rotation goes on in the old file; one whose name nobody has
// taken over is kept open this long.
constexpr std::int64_t kKeepWithoutSuccessorMs = 3'600'000;
// Beyond this the oldest of those that are not followed are forgotten.
constexpr std::size_t kMaxRegistryEntries = 200'000;
// With acks below all a leader that dies takes with it what its followers do not have, and the claim
// beside it. One that is further behind (replica.lag.time.max.ms, 30 s) does not become the leader:
// what was claimed for longer than that has arrived, or shows.
constexpr std::int64_t kClaimBelowAllMs = 40'000;
constexpr std::int64_t kClaimPauseMs = 10'000;
// Who counts forgets what it has not heard of for months; a log that rests is not gone.
constexpr std::int64_t kClaimAgainMs = 86'400'000;
// Small batches of ten thousand files would otherwise all be the output's at once, each with its overhead.
constexpr std::size_t kMaxInFlightMessages = 1000;
constexpr std::uint64_t kYoungBytes = 4096;
constexpr std::size_t kMaxProblems = 100;
// How far back a start_at = "end" looks for the start of the line that is being written.
constexpr std::uint64_t kLineStartBytes = 1U << 20;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string sentence(const Error& error) {
  return error.hint.empty() ? error.what : error.what + "; " + error.hint;
}

bool matches(const std::vector<std::string>& globs, const std::string& path, int flags) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), path.c_str(), flags) == 0;
  });
}

// Whether `path` is what `pattern` looks for, or a folder on the way to it.
bool on_the_way(const std::string& pattern, const std::string& path) {
  auto depth = std::count(path.begin(), path.end(), '/');
  std::size_t end = 0;
  for (; end < pattern.size(); ++end) {
    if (pattern[end] == '/' && depth-- == 0) break;
  }
  return ::fnmatch(pattern.substr(0, end).c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

// One message, or the two of a range that goes to both topics: it is settled when both are.
struct InFlight {
  enum class Kind { kLines, kLoss, kClaim, kHeartbeat };
  Kind kind = Kind::kHeartbeat;
  std::shared_ptr<Source> source;   // kLines, kClaim
  Loss loss;                        // kLoss
  std::uint64_t content_bytes = 0;  // kClaim: the offset that was claimed
  LineBatch::Counts counts;
  std::int64_t last_event_ms = kNoTime;
  std::uint64_t id = 0;  // of the first message
  std::size_t left = 0;  // messages that were not settled
  std::optional<Error> error;
};

}  // namespace

struct AgentCore::Impl {
  Impl(Output& to, const FileSystem& from, const Clock& time) : output(to), files(from), clock(time) {}

  AgentConfig config;
  std::optional<AgentConfig> next_config;
  Output& output;
  const FileSystem& files;
  const Clock& clock;
  AgentOptions options;
  std::unique_ptr<Registry> registry;
  std::string host;
  std::unique_ptr<LineBatch> batch;
  Codec codec = Codec::kBatch;

  std::map<FileKey, std::shared_ptr<Source>> sources;
  // Truncated, replaced or given up: their acknowledgements are awaited, and a copy that takes over.
  std::vector<std::shared_ptr<Source>> leaving;
  std::unordered_multimap<SourceId, std::shared_ptr<Source>, SourceIdHash> by_base;  // of `sources`
  std::unordered_map<std::string, std::shared_ptr<Source>> by_path;                  // of `sources`
  std::unordered_map<SourceId, std::size_t, SourceIdHash> living;  // ids of `sources` and `leaving`
  std::unordered_map<SourceId, std::int64_t, SourceIdHash> missing_since;
  std::map<std::string, std::string> problems;  // of the last look: path -> sentence
  std::string registry_problem;
  std::set<std::string> folders, watched;
  std::deque<std::shared_ptr<Source>> round;  // fair turns
  std::unordered_map<std::uint64_t, std::shared_ptr<InFlight>> in_flight;
  struct Held {
    Message message;
    std::shared_ptr<InFlight> entry;
  };
  std::deque<Held> held;  // the output was full
  // Batches that cannot be cut, until the registry has where they end.
  struct Staged {
    std::vector<Message> messages;
    InFlight entry;
    std::uint64_t begin = 0;
    std::string tail_before;
  };
  std::vector<Staged> staged;
  std::size_t staged_bytes = 0;
  Ship ships = Ship::kRecords;
  std::uint64_t next_message_id = 1;
  std::uint64_t in_flight_bytes = 0;
  std::size_t losses_in_flight = 0;
  std::int64_t loss_again_ms = 0;
  std::int32_t partitions = 0;
  bool scanned = false, scan_wanted = true, stopping = false;
  std::uint64_t scan_count = 0, changes = 0;
  std::int64_t last_scan_ms = 0, last_heartbeat_ms = 0, last_flush_ms = 0, stop_asked_ms = 0,
               last_poll_ms = 0;
  std::map<std::string, std::int64_t> said_ms;  // at most kMaxProblems and two
  AgentStatus totals;
  std::vector<PlanLine>* planned = nullptr;

  [[nodiscard]] std::int64_t now() const { return clock.steady_ms(); }
  // Of `config`: a parser holds nothing of a line before, unless it reads directives.
  std::map<const InputConfig*, std::shared_ptr<LineParser>> parsers;
  Result<std::shared_ptr<LineParser>> parser_for(const InputConfig& input);

  void scan();
  [[nodiscard]] std::vector<std::pair<std::string, const InputConfig*>> find_files(bool& all_known);
  void look_at(const std::string& path, const InputConfig& input);
  void open_source(const std::string& path, const InputConfig& input, std::shared_ptr<Content> content,
                   const FileFacts& facts);
  [[nodiscard]] Result<Identity> who_is(const Sighting& sighting);
  [[nodiscard]] Result<std::uint64_t> end_to_start_at(Content& content, std::uint64_t size_bytes) const;
  void reopen(const std::string& path, Source& source);
  void take_over(const std::shared_ptr<Source>& source, const std::string& path,
                 std::shared_ptr<Content> content, const FileFacts& facts);
  void problem(const std::string& key, std::string what);

  void add(const std::shared_ptr<Source>& source);
  void remove(const std::shared_ptr<Source>& source);
  void leave(const std::shared_ptr<Source>& source);
  void drop_living(const SourceId& id);
  void mark(const std::shared_ptr<Source>& source);
  enum class Proof { kWhenChanged, kAlways };
  bool look_at_size(const std::shared_ptr<Source>& source, Proof proof = Proof::kWhenChanged);
  [[nodiscard]] Result<bool> begins_as_before(const Source& source) const;
  // There are few bytes before its offset that could prove what it is, or none that tell.
  [[nodiscard]] static bool needs_first_line(const Source& source) {
    return source.reader.position() < kYoungBytes || !source.reader.has_proof();
  }
  void unreadable(Source& source, const Error& error) const;
  void poll_sizes();
  void close_finished();
  void settle_leaving();
  void lose(const Source& source, ByteRange range, LossCause cause);
  void give_up(const std::shared_ptr<Source>& source, LossCause cause);
  void give_up_unreadable();
  void release_under_pressure();
  void note_missing(bool all_known);
  void forget_old();

  bool pump();
  [[nodiscard]] std::uint64_t batch_limit(const Source& source) const;
  [[nodiscard]] bool gathers(const Source& source) const;
  bool ship(const std::shared_ptr<Source>& source);
  [[nodiscard]] Result<std::vector<Message>> messages_of(const Source& source, BatchHeader header);
  void note_read(const InFlight& entry);
  void stage(Staged waiting);
  bool send_staged();
  bool ship_losses();
  bool hand_over(std::vector<Message> messages, InFlight entry);
  bool hand_over(Message message, const std::shared_ptr<InFlight>& entry);
  // To each topic that is shipped to.
  [[nodiscard]] std::vector<Message> for_each_topic(Message message);
  [[nodiscard]] BatchHeader header_of(const SourceId& id, std::uint64_t origin, const std::string& path,
                                      const std::string& input) const;
  void settled(std::uint64_t id, const Error* error);
  void remember(Source& source);
  void flush_registry();
  void write_registry(Registry::Keep keep = Registry::Keep::kUsually);
  [[nodiscard]] bool claimed(const Source& source) const;
  void claim(const std::shared_ptr<Source>& source);
  void heartbeat();
  void housekeeping();
  void take_config();
  void say_trouble();
  [[nodiscard]] bool caught_up() const;
};

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

// ---- Which files there are

std::vector<std::pair<std::string, const InputConfig*>> AgentCore::Impl::find_files(bool& all_known) {
  std::vector<std::pair<std::string, const InputConfig*>> found;
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
        if (!matches(input.exclude, path, 0)) found.emplace_back(std::move(path), &input);
      }
    }
  }
  return found;
}

void AgentCore::Impl::scan() {
  ++scan_count;
  ++changes;
  scan_wanted = false;
  last_scan_ms = now();
  problems.clear();
  // A truncated file must have made way for its copy.
  for (auto at = sources.begin(); at != sources.end();) {
    const auto source = (at++)->second;
    look_at_size(source, Proof::kAlways);
  }
  bool all_known = true;
  auto found = find_files(all_known);
  struct Seen {
    std::string path, family;
    const InputConfig* input;
    bool known;
  };
  std::vector<Seen> seen;
  std::set<const Source*> there;
  for (auto& [path, input] : found) {
    const auto facts = files.look(path);
    if (!facts) {
      if (facts.error().code == Code::kNotFound) continue;  // gone since the glob
      all_known = false;
      problem(path, sentence(facts.error()));
      continue;
    }
    const FileKey key{facts->device, facts->inode};
    if (const auto at = sources.find(key); at != sources.end()) {
      auto& source = *at->second;
      // Of several names the shortest: the one that it had before a rotation by hard link.
      const bool first = there.insert(&source).second;
      if (path != source.path && (first || path.size() < source.path.size())) source.named(path);
    }
    seen.push_back({path, log_family(path), input, registry->knows_file(*facts)});
  }
  for (auto& [key, source] : sources) {
    const bool present = there.contains(source.get());
    if (!present && !all_known) continue;  // nobody can tell
    if (source->present && !present && source->quiet_since_ms == 0) source->quiet_since_ms = now();
    if (present) source->quiet_since_ms = 0;
    source->present = present;
  }
  // Files that were followed before come first: what shares its first line with one of them, a
  // copy that is still being written say, is then compared with it. Then the oldest, so that
  // generations are read in their order.
  std::sort(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
    if (a.known != b.known) return a.known;
    if (a.family != b.family) return a.family < b.family;
    if (older_generation(a.path, b.path) != older_generation(b.path, a.path))
      return older_generation(a.path, b.path);
    return a.path < b.path;
  });
  for (const auto& [path, family, input, known] : seen) look_at(path, *input);
  settle_leaving();
  by_path.clear();
  for (auto& [key, source] : sources) {
    if (source->present) {
      by_path[source->path] = source;
      const auto real = files.resolved(source->path);
      by_path[real] = source;
      source->folder = folder_of(real);
      folders.insert(source->folder);
    }
    if (!source->trouble.empty()) mark(source);  // tried again
  }
  release_under_pressure();
  give_up_unreadable();
  note_missing(all_known);
  forget_old();
  scanned = true;
}

void AgentCore::Impl::look_at(const std::string& path, const InputConfig& input) {
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
  const auto opened = (*content)->facts();
  if (!opened) {
    problem(path, sentence(opened.error()));
    return;
  }
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
                                                .trouble = {}});
  source->cuts_known = ships != Ship::kRecords && (entry == nullptr || entry->cuts_known);
  if (ships != Ship::kRecords && !source->cuts_known)
    source->records_until = content->compressed() ? ~std::uint64_t{0} : facts.size_bytes;
  if (entry != nullptr) {
    source->had_cuts = ships == Ship::kRecords && entry->cuts_known;
    for (const auto cut : entry->cuts) source->sent.cut_at(cut);
    source->base = entry->base;
    // Renamed since. A copy that took over is no rename: its original may be where it was.
    const bool same_file = entry->device == facts.device && entry->inode == facts.inode;
    if (same_file && entry->path != path) source->names.insert(source->names.begin(), entry->path);
    source->last_acknowledged_ms = entry->last_acknowledged_ms;
  }
  missing_since.erase(source->id);
  add(source);
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
  source->present = true;
  source->quiet_since_ms = 0;
  source->registry_dirty = true;
  add(source);
  drop_living(source->id);  // add() counted it once more
}

// ---- What is followed

void AgentCore::Impl::add(const std::shared_ptr<Source>& source) {
  sources[{source->facts.device, source->facts.inode}] = source;
  by_base.emplace(source->base, source);
  ++living[source->id];
  source->dirty = false;
  mark(source);
}

// Out of the tables of what is followed; `living` keeps its id until drop_living().
void AgentCore::Impl::remove(const std::shared_ptr<Source>& source) {
  if (const auto at = sources.find({source->facts.device, source->facts.inode});
      at != sources.end() && at->second == source)
    sources.erase(at);
  const auto [begin, end] = by_base.equal_range(source->base);
  for (auto at = begin; at != end; ++at) {
    if (at->second == source) {
      by_base.erase(at);
      break;
    }
  }
  std::erase_if(by_path, [&](const auto& entry) { return entry.second == source; });
}

void AgentCore::Impl::drop_living(const SourceId& id) {
  if (const auto at = living.find(id); at != living.end() && --at->second == 0) living.erase(at);
}

void AgentCore::Impl::leave(const std::shared_ptr<Source>& source) {
  remember(*source);
  remove(source);
  leaving.push_back(source);
  scan_wanted = true;
}

void AgentCore::Impl::mark(const std::shared_ptr<Source>& source) {
  ++changes;
  if (!source->dirty) {
    source->dirty = true;
    source->dirty_since_ms = now();
  }
  if (!std::exchange(source->queued, true)) round.push_back(source);
}

// Its size now. A file that shrank has new content: what was read of the old one is in flight,
// the rest is gone unless a copy has it. False: it has left.
bool AgentCore::Impl::look_at_size(const std::shared_ptr<Source>& source, Proof proof) {
  const auto facts = source->content->facts();
  if (!facts) {
    unreadable(*source, facts.error());
    return true;
  }
  const bool compressed = source->content->compressed();
  bool same = compressed || facts->size_bytes >= source->reader.position();
  const bool changed =
      facts->size_bytes != source->facts.size_bytes || facts->modified_ms != source->facts.modified_ms;
  if (same && (changed || proof == Proof::kAlways)) {
    // Grown, or truncated and grown to the offset and past it since.
    const auto there = source->reader.still_there();
    if (!there) {
      unreadable(*source, there.error());
      return true;
    }
    same = *there;
    if (same && needs_first_line(*source)) {
      const auto first = begins_as_before(*source);
      if (!first) {
        unreadable(*source, first.error());
        return true;
      }
      same = *first;
    }
  }
  if (!same) {
    leave(source);
    return false;
  }
  const bool grew = compressed ? facts->size_bytes != source->facts.size_bytes
                               : facts->size_bytes > source->reader.position();
  source->facts = *facts;
  if (grew) mark(source);
  return true;
}

void AgentCore::Impl::unreadable(Source& source, const Error& error) const {
  source.trouble = std::string(kUnreadable) + error.what;
  if (source.unreadable_since_ms == 0) source.unreadable_since_ms = now();
}

Result<bool> AgentCore::Impl::begins_as_before(const Source& source) const {
  if (source.line_hash.empty()) return true;
  const auto first = first_line_of(config.id, {source.path, *source.content, source.facts});
  if (!first) return std::unexpected(first.error());
  return first->line_hash == source.line_hash;
}

void AgentCore::Impl::poll_sizes() {
  last_poll_ms = now();
  for (auto at = sources.begin(); at != sources.end();) {
    const auto source = (at++)->second;
    const bool told = source->present && watched.contains(source->folder);
    if (!told || source->dirty) look_at_size(source);
  }
}

void AgentCore::Impl::close_finished() {
  std::vector<std::shared_ptr<Source>> finished;
  for (const auto& [key, source] : sources) {
    if (source->present || !source->drained() || source->quiet_since_ms == 0) continue;
    if (!source->trouble.empty()) continue;
    const auto quiet = now() - source->quiet_since_ms;
    if (quiet <= config.tail.close_rotated.count()) continue;
    const bool replaced = source->facts.links == 0 || source->content->compressed() ||
                          std::any_of(source->names.begin(), source->names.end(), [&](const auto& name) {
                            const auto at = by_path.find(name);
                            return at != by_path.end() && at->second != source;
                          });
    if ((replaced || quiet > kKeepWithoutSuccessorMs) && claimed(*source)) finished.push_back(source);
  }
  for (const auto& source : finished) {
    if (!look_at_size(source) || !source->drained()) continue;
    remember(*source);
    remove(source);
    drop_living(source->id);
  }
}

// After a look at all files: nothing has taken over from what is still here.
void AgentCore::Impl::settle_leaving() {
  ++changes;
  for (const auto& source : leaving) {
    const auto end = source->size();
    if (source->reader.offset() < end && source->content->compressed() == false) {
      lose(*source, {source->reader.offset(), end}, LossCause::kTruncatedUnread);
      source->facts.size_bytes = source->reader.offset();
      source->reader.rewind(source->reader.offset(), source->reader.tail_hash());
      remember(*source);
    }
  }
  std::erase_if(leaving, [&](const auto& source) {
    if (!source->sent.idle()) return false;
    if (source->sent.failed() && source->sent.acknowledged_offset() < source->reader.offset()) {
      // What was in flight failed and cannot be read again.
      lose(*source, {source->sent.acknowledged_offset(), source->reader.offset()},
           LossCause::kTruncatedUnread);
    }
    remember(*source);
    drop_living(source->id);
    return true;
  });
}

void AgentCore::Impl::lose(const Source& source, ByteRange range, LossCause cause) {
  totals.lost_bytes += range.size();
  if (options.say) {
    options.say(fmt::format("{}: {} bytes from {} on are lost: {}", source.path, range.size(), range.begin,
                            to_string(cause)));
  }
  registry->add_loss({.source = source.id,
                      .range = range,
                      .cause = cause,
                      .origin = source.origin,
                      .partition = source.partition,
                      .path = source.path,
                      .input = source.input->name,
                      .noticed_ms = clock.wall_ms()});
}

// What is unread of it is lost; what is in flight may still be acknowledged.
void AgentCore::Impl::give_up(const std::shared_ptr<Source>& source, LossCause cause) {
  const auto end = source->size();
  if (source->reader.offset() < end) lose(*source, {source->reader.offset(), end}, cause);
  source->facts.size_bytes = source->reader.offset();
  source->reader.rewind(source->reader.offset(), source->reader.tail_hash());
  leave(source);
  source->content->give_up();
}

// A descriptor that gives errors is opened anew while the file has a name. Without one nothing
// will ever give its bytes.
void AgentCore::Impl::give_up_unreadable() {
  std::vector<std::shared_ptr<Source>> lost;
  for (const auto& [key, source] : sources) {
    if (source->unreadable_since_ms == 0 || source->present) continue;
    if (now() - source->unreadable_since_ms < config.tail.missing_after.count()) continue;
    const auto facts = source->content->facts();
    if (facts && facts->links > 0) continue;
    std::string probe;
    if (source->content->read(source->reader.position(), 1, probe)) {
      source->unreadable_since_ms = 0;  // an error that has passed
      continue;
    }
    if (facts) source->facts = *facts;
    lost.push_back(source);
  }
  for (const auto& source : lost) give_up(source, LossCause::kUnreadable);
}

// Deleted files hold their disk space while they are open. The operator may rather lose them.
void AgentCore::Impl::release_under_pressure() {
  if (!config.tail.release_under_pressure) return;
  std::vector<std::shared_ptr<Source>> deleted;
  for (const auto& [key, source] : sources) {
    if (source->facts.links == 0 && !source->trouble.starts_with(kUnreadable)) deleted.push_back(source);
  }
  std::sort(deleted.begin(), deleted.end(), [](const auto& a, const auto& b) {
    return a->facts.modified_ms != b->facts.modified_ms ? a->facts.modified_ms < b->facts.modified_ms
                                                        : a->id < b->id;
  });
  for (const auto& source : deleted) {
    if (source->content->free_bytes() >= config.tail.min_free_bytes) continue;
    give_up(source, LossCause::kReleased);
  }
}

// What the registry knows to be unread, and no file has.
void AgentCore::Impl::note_missing(bool all_known) {
  if (!all_known || options.position_of) return;
  std::vector<RegistryEntry> lost;
  std::vector<RegistryEntry> truncated;
  for (const auto& [id, entry] : registry->entries()) {
    if (const auto same = sources.find({entry.device, entry.inode});
        same != sources.end() && !living.contains(id) && entry.state != kTruncatedState &&
        entry.acknowledged_offset > 0 && same->second->facts.birth_ns == entry.birth_ns)
      truncated.push_back(entry);
    if (entry.acknowledged_offset >= entry.size_bytes || living.contains(id)) {
      missing_since.erase(id);
      continue;
    }
    const bool ours = std::any_of(config.inputs.begin(), config.inputs.end(),
                                  [&](const auto& input) { return input.name == entry.input; });
    if (!ours) continue;
    const auto since = missing_since.try_emplace(id, now()).first->second;
    if (now() - since >= config.tail.missing_after.count()) lost.push_back(entry);
  }
  for (auto& entry : truncated) {
    // What came behind the known bytes, if anything did, was seen by nobody.
    if (options.say) {
      options.say(
          fmt::format("{}: was truncated while nobody looked; lines that were written behind byte {} and "
                      "before that are lost, unless a copy has them",
                      entry.path, entry.acknowledged_offset));
    }
    ++totals.unseen_truncations;
    entry.state = kTruncatedState;
    registry->put(entry);
  }
  for (auto& entry : lost) {
    totals.lost_bytes += entry.size_bytes - entry.acknowledged_offset;
    registry->add_loss({.source = entry.id,
                        .range = {entry.acknowledged_offset, entry.size_bytes},
                        .cause = LossCause::kDeletedUnread,
                        .origin = entry.origin,
                        .partition = entry.partition,
                        .path = entry.path,
                        .input = entry.input,
                        .noticed_ms = clock.wall_ms()});
    if (options.say) {
      options.say(
          fmt::format("{}: was deleted or truncated with {} bytes unread; they are lost, unless the file "
                      "comes back",
                      entry.path, entry.size_bytes - entry.acknowledged_offset));
    }
    missing_since.erase(entry.id);
    entry.size_bytes = entry.acknowledged_offset;
    entry.state = "lost";
    registry->put(entry);
  }
}

void AgentCore::Impl::forget_old() {
  const auto before = clock.wall_ms() - config.tail.forget_after.count();
  std::vector<std::pair<std::int64_t, SourceId>> old;
  const bool crowded = registry->entries().size() > kMaxRegistryEntries;
  for (const auto& [id, entry] : registry->entries()) {
    if (!living.contains(id) && !missing_since.contains(id) && (crowded || entry.seen_ms < before))
      old.emplace_back(entry.seen_ms, id);
  }
  std::sort(old.begin(), old.end());
  for (const auto& [seen_ms, id] : old) {
    if (seen_ms < before || registry->entries().size() > kMaxRegistryEntries) registry->forget(id);
  }
}

// ---- Reading and shipping

std::vector<Message> AgentCore::Impl::for_each_topic(Message message) {
  std::vector<Message> messages;
  if (ships == Ship::kBoth) {
    messages.push_back(message);
    messages.back().id = next_message_id++;
    message.to_windows = true;
  }
  message.id = next_message_id++;
  messages.push_back(std::move(message));
  return messages;
}

// False: the output is full.
bool AgentCore::Impl::hand_over(std::vector<Message> messages, InFlight entry) {
  const auto shared = std::make_shared<InFlight>(std::move(entry));
  shared->id = messages.front().id;
  shared->left = messages.size();
  bool taken = true;
  for (auto& message : messages) taken = hand_over(std::move(message), shared) && taken;
  return taken;
}

bool AgentCore::Impl::hand_over(Message message, const std::shared_ptr<InFlight>& entry) {
  const auto id = message.id;
  const auto bytes = message.payload.size();
  const auto sent = held.empty() ? output.send(message) : fail(Code::kFull, "others wait before it");
  if (!sent && sent.error().code == Code::kFull) {
    held.push_back({std::move(message), entry});
    return false;
  }
  if (entry->kind == InFlight::Kind::kLines) totals.wire_bytes += bytes;
  in_flight.emplace(id, entry);
  if (!sent) settled(id, &sent.error());
  return true;
}

BatchHeader AgentCore::Impl::header_of(const SourceId& id, std::uint64_t origin, const std::string& path,
                                       const std::string& input) const {
  BatchHeader header;
  header.source = id;
  header.origin = origin;
  header.agent_id = config.id;
  header.instance = registry->instance();
  header.host = host;
  header.input = input;
  header.path = path;
  header.sent_ms = clock.wall_ms();
  return header;
}

std::uint64_t AgentCore::Impl::batch_limit(const Source& source) const {
  if (ships != Ship::kWindows || !source.cuts_known)
    return source.batch_limit_bytes > 0 ? source.batch_limit_bytes : config.ship.batch_max_bytes;
  const auto grid = config.ship.windows_batch_max;
  const auto limit = grid - source.reader.offset() % grid;
  return source.batch_limit_bytes > 0 ? std::min(source.batch_limit_bytes, limit) : limit;
}

// More lines may join those that wait, so that batches get full.
bool AgentCore::Impl::gathers(const Source& source) const {
  const auto unsent =
      source.facts.size_bytes > source.reader.offset() ? source.facts.size_bytes - source.reader.offset() : 0;
  const bool windows = ships == Ship::kWindows && source.cuts_known;
  // Something of it is in flight: a busy file makes full batches. Windows wait in any case.
  if (!windows && source.sent.idle()) return false;
  const auto enough = windows ? batch_limit(source) : config.ship.batch_max_bytes;
  const auto interval = windows ? config.ship.windows_interval : config.ship.flush_interval;
  const bool full = source.content->compressed() || unsent >= enough;
  return !full && now() - source.dirty_since_ms < interval.count();
}

bool AgentCore::Impl::ship(const std::shared_ptr<Source>& source) {
  ++changes;
  if (source->sent.failed()) {
    if (!source->sent.idle() || (now() < source->retry_at_ms && !stopping)) return false;
    source->reader.rewind(source->sent.acknowledged_offset(), source->sent.acknowledged_tail());
    source->sent.rewound();
  }
  if (ships != Ship::kRecords) {
    if (!source->cuts_known && source->reader.offset() >= source->records_until) {
      // From here on no batch may be cut: none that may is in flight before it.
      if (!source->sent.idle()) return false;
      source->cuts_known = true;
    }
    const bool waits = now() < source->retry_at_ms || source->sent.in_flight() >= kMaxCutsInFlight;
    if (source->cuts_known && waits && !stopping) return false;
  }
  source->trouble.clear();
  if (!look_at_size(source)) return false;
  if (!source->trouble.empty()) {
    source->dirty = false;  // looked at again with the next scan
    return false;
  }
  const auto begin = source->reader.offset();
  const bool uncut = ships != Ship::kRecords && source->cuts_known;
  const auto cut = uncut ? source->sent.next_cut(begin) : 0;
  if (cut == 0 && !stopping && gathers(*source)) return false;
  const auto tail_before = source->reader.tail_hash();
  const bool by_first_line = needs_first_line(*source);
  Contents contents;
  contents.records = !uncut || ships == Ship::kBoth;
  contents.windows = uncut;
  contents.fold.window_s = config.ship.window.count();
  if (const auto site = source->input->fields.find("site"); site != source->input->fields.end())
    contents.site_field = site->second;
  batch->begin(*source->parser, contents);
  // What was cut once is cut there again, or in between when the topic takes no larger one.
  auto limit = batch_limit(*source);
  if (cut > 0) limit = source->batch_limit_bytes > 0 ? std::min(limit, cut - begin) : cut - begin;
  const auto filled = source->reader.fill(*batch, limit, *source->parser);
  if (by_first_line && batch->content_bytes() > 0 && !source->content->compressed()) {
    // Looked at after the read, as the reader does it further on.
    const auto same = begins_as_before(*source);
    if (!same || !*same) {
      source->reader.rewind(begin, tail_before);
      if (same) {
        leave(source);
      } else {
        unreadable(*source, same.error());
      }
      return false;
    }
  }
  if (source->reader.rewritten()) {
    leave(source);
    // Lines that were read before it was noticed are what they were.
    if (batch->content_bytes() == 0) return false;
  }
  if (filled) {
    source->unreadable_since_ms = 0;
  } else {
    unreadable(*source, filled.error());
  }
  if (!filled || source->reader.at_end()) source->dirty = false;
  if (source->reader.at_end() && source->content->compressed()) {
    if (!source->content->complete())
      source->trouble = source->path + ": ends in the middle: it is still being written, or was cut short";
    source->content->rest();
  }
  if (source->dirty) source->dirty_since_ms = now();
  if (batch->content_bytes() == 0) return false;
  if (source->partition < 0 || source->partition >= partitions)
    source->partition = static_cast<std::int32_t>(source->id.low % static_cast<std::uint64_t>(partitions));
  auto header = header_of(source->id, source->origin, source->path, source->input->name);
  header.range = {begin, source->reader.offset()};
  header.fields.assign(source->input->fields.begin(), source->input->fields.end());
  InFlight entry{.kind = InFlight::Kind::kLines,
                 .source = source,
                 .loss = {},
                 .content_bytes = header.range.size(),
                 .counts = batch->counts(),
                 .last_event_ms = batch->last_time_ms(),
                 .error = {}};
  const auto range = header.range;
  auto messages = messages_of(*source, std::move(header));
  if (!messages) {
    // Cannot happen with a range of our own making; never go on past lines that were not sent.
    unreadable(*source, messages.error());
    source->reader.rewind(begin, tail_before);
    return false;
  }
  if (batch->crowded()) {
    ++totals.crowded_batches;
    source->crowded_ms = now();
  }
  if (!source->sent_before && !uncut) {
    // From now on it may be counted, and must be known again, whatever happens. Afterwards the
    // registry may lag: what it knows of it is enough to tell it from all others.
    remember(*source);
    write_registry(source->had_cuts ? Registry::Keep::kThroughPowerCuts : Registry::Keep::kUsually);
    if (!registry_problem.empty() && (source->id != source->base || source->had_cuts)) {
      // Its content alone would not tell it from its look-alike; or the registry would tell later where
      // windows must be cut, and not that records were sent: it waits for the registry.
      source->trouble = source->path + (source->had_cuts ? ": " : ": begins like another file, and ") +
                        "waits until the registry can be written";
      source->reader.rewind(begin, tail_before);
      return false;
    }
    source->sent_before = true;
  }
  in_flight_bytes += entry.content_bytes;
  source->sent.sent(messages->front().id, range, source->reader.tail_hash());
  if (uncut) {
    source->sent.cut_at(range.end);
    remember(*source);
    stage({std::move(*messages), std::move(entry), begin, tail_before});
    return (staged.size() < kMaxStaged && staged_bytes < kMaxStagedBytes) || send_staged();
  }
  note_read(entry);
  return hand_over(std::move(*messages), std::move(entry));
}

// The lines of the batch for each topic.
Result<std::vector<Message>> AgentCore::Impl::messages_of(const Source& source, BatchHeader header) {
  Message message;
  message.key = source.id.bytes();
  message.partition = source.partition;
  message.split_lines = codec != Codec::kBatch;
  std::vector<Message> messages;
  const auto add = [&](Result<std::string> payload) -> Result<void> {
    if (!payload) return std::unexpected(payload.error());
    messages.push_back(message);
    messages.back().id = next_message_id++;
    messages.back().payload = std::move(*payload);
    return {};
  };
  const bool uncut = ships != Ship::kRecords && source.cuts_known;
  if (!uncut || ships == Ship::kBoth) {
    if (auto added = add(batch->finish(header)); !added) return std::unexpected(added.error());
  }
  message.to_windows = ships == Ship::kBoth;
  if (uncut) {
    header.kind = BatchKind::kWindows;
    if (auto added = add(batch->finish_windows(header)); !added) return std::unexpected(added.error());
  } else if (ships == Ship::kBoth) {
    if (auto added = add(messages.front().payload); !added) return std::unexpected(added.error());
  }
  return messages;
}

void AgentCore::Impl::note_read(const InFlight& entry) {
  totals.read_lines += entry.counts.lines;
  totals.read_bytes += entry.content_bytes;
  totals.unparsed_lines += entry.counts.unparsed;
  totals.filtered_lines += entry.counts.filtered;
  totals.truncated_lines += entry.counts.truncated;
}

void AgentCore::Impl::stage(Staged waiting) {
  for (const auto& message : waiting.messages) staged_bytes += message.payload.size();
  staged.push_back(std::move(waiting));
}

// One write of the registry, which waits for the disk, for all of them. False: nothing was sent, or the
// output is full.
bool AgentCore::Impl::send_staged() {
  if (staged.empty()) return true;
  auto batches = std::exchange(staged, {});
  staged_bytes = 0;
  write_registry(Registry::Keep::kThroughPowerCuts);
  bool taken = registry_problem.empty();
  for (auto& [messages, entry, begin, tail_before] : batches) {
    const auto source = entry.source;
    if (registry_problem.empty()) {
      source->sent_before = true;
      note_read(entry);
      taken = hand_over(std::move(messages), std::move(entry)) && taken;
      continue;
    }
    // Nobody would know after a crash where it ended: it is read again once the registry can be written.
    in_flight_bytes -= entry.content_bytes;
    source->sent.take_back();
    source->reader.rewind(begin, tail_before);
    source->trouble = source->path + ": waits until the registry can be written";
    source->retry_at_ms = now() + kSendAgainMs;
    mark(source);
  }
  return taken;
}

// One at a time and in their order; they are few. False: the output is full.
bool AgentCore::Impl::ship_losses() {
  if (codec != Codec::kBatch) {
    // Other codecs have no words for it: it was said and counted.
    while (!registry->losses().empty()) registry->remove_loss(Loss(registry->losses().front()));
    return true;
  }
  if (losses_in_flight > 0 || registry->losses().empty() || now() < loss_again_ms) return true;
  const auto loss = registry->losses().front();
  auto header = header_of(loss.source, loss.origin, loss.path, loss.input);
  header.kind = BatchKind::kLoss;
  header.range = loss.range;
  header.loss_cause = loss.cause;
  auto payload = encode_loss(header);
  if (!payload) {
    registry->remove_loss(loss);
    return true;
  }
  const auto partition =
      loss.partition >= 0 && loss.partition < partitions
          ? loss.partition
          : static_cast<std::int32_t>(loss.source.low % static_cast<std::uint64_t>(partitions));
  ++losses_in_flight;
  return hand_over(
      for_each_topic({.key = loss.source.bytes(), .partition = partition, .payload = std::move(*payload)}),
      {.kind = InFlight::Kind::kLoss, .source = nullptr, .loss = loss, .counts = {}, .error = {}});
}

// One turn for each source that has something; true when there is more to do at once.
bool AgentCore::Impl::pump() {
  for (auto again = std::exchange(held, {}); !again.empty(); again.pop_front())
    hand_over(std::move(again.front().message), again.front().entry);
  if (!held.empty()) return false;
  partitions = output.partition_count();
  if (partitions <= 0) return false;
  if (!ship_losses()) return false;
  bool shipped = false;
  for (auto turns = round.size(); turns > 0 && held.empty(); --turns) {
    if (in_flight_bytes >= config.ship.max_in_flight || in_flight.size() >= kMaxInFlightMessages) break;
    const auto source = round.front();
    round.pop_front();
    source->queued = false;
    const auto at = sources.find({source->facts.device, source->facts.inode});
    if (at == sources.end() || at->second != source) continue;
    if (stopping && !source->sent.failed()) continue;
    shipped |= ship(source);
    // Also what only gathers, or waits until a failed batch's fellows have settled.
    if ((source->dirty || source->sent.failed()) && !std::exchange(source->queued, true))
      round.push_back(source);
  }
  if (!staged.empty()) shipped = send_staged() && shipped;
  // Without a descriptor that tells, what was just taken is settled by the next poll().
  return shipped && (held.empty() || output.readable_fd() < 0);
}

void AgentCore::Impl::settled(std::uint64_t id, const Error* error) {
  ++changes;
  const auto found = in_flight.find(id);
  if (found == in_flight.end()) return;
  const auto shared = std::move(found->second);
  in_flight.erase(found);
  // Of two errors the one that says what to do about it.
  if (error != nullptr && (!shared->error || error->code == Code::kInvalid)) shared->error = *error;
  if (--shared->left > 0) return;
  const auto& entry = *shared;
  if (entry.kind == InFlight::Kind::kLoss) {
    --losses_in_flight;
    if (!entry.error) {
      registry->remove_loss(entry.loss);
    } else {
      loss_again_ms = now() + kLossAgainMs;
    }
    return;
  }
  if (entry.kind == InFlight::Kind::kClaim && !entry.error) {
    auto& rested = *entry.source;
    if (rested.claimed_offset != entry.content_bytes) rested.first_claimed_ms = now();
    rested.claimed_offset = entry.content_bytes;
    rested.claimed_ms = now();
  }
  if (entry.kind != InFlight::Kind::kLines) return;
  auto& source = *entry.source;
  in_flight_bytes -= entry.content_bytes;
  source.sent.settled(entry.id, !entry.error);
  if (entry.error) {
    source.retry_at_ms = now() + kSendAgainMs;
    // Larger than the topic takes: smaller ones, until a single line is too large.
    if (entry.error->code == Code::kInvalid)
      source.batch_limit_bytes =
          std::max<std::uint64_t>(1, std::min(batch_limit(source), entry.content_bytes) / 2);
    mark(entry.source);
    return;
  }
  totals.shipped_lines += entry.counts.lines;
  totals.shipped_bytes += entry.content_bytes;
  ++totals.shipped_batches;
  source.last_event_ms = std::max(source.last_event_ms, entry.last_event_ms);
  source.last_acknowledged_ms = clock.wall_ms();
  source.registry_dirty = true;
  if (!source.present && source.quiet_since_ms != 0) source.quiet_since_ms = now();
}

void AgentCore::Impl::remember(Source& source) {
  source.registry_dirty = false;
  if (options.position_of) return;
  RegistryEntry entry;
  if (const auto* known = registry->find(source.id)) entry = *known;
  entry.id = source.id;
  entry.base = source.base;
  entry.line_hash = source.line_hash;
  entry.path = source.path;
  entry.input = source.input->name;
  entry.device = source.facts.device;
  entry.inode = source.facts.inode;
  entry.birth_ns = source.facts.birth_ns;
  entry.partition = source.partition;
  entry.origin = source.origin;
  entry.size_bytes = source.size();
  entry.last_acknowledged_ms = source.last_acknowledged_ms;
  entry.seen_ms = clock.wall_ms();
  entry.state = source.state();
  entry.acknowledged_offset = source.sent.acknowledged_offset();
  entry.tail_hash = source.sent.acknowledged_tail();
  if (source.reader.offset() >= entry.sent_offset) {
    entry.sent_offset = source.reader.offset();
    entry.sent_tail_hash = source.reader.tail_hash();
  }
  if (entry.tail_hash.empty() && entry.acknowledged_offset == source.reader.offset())
    entry.tail_hash = source.reader.tail_hash();
  entry.cuts_known = ships != Ship::kRecords && source.cuts_known;
  entry.cuts = entry.cuts_known ? source.sent.cuts() : std::vector<std::uint64_t>();
  registry->put(entry);
}

void AgentCore::Impl::flush_registry() {
  last_flush_ms = now();
  for (auto& [key, source] : sources) {
    if (source->registry_dirty) remember(*source);
  }
  for (auto& source : leaving) {
    if (source->registry_dirty) remember(*source);
  }
  write_registry();
}

void AgentCore::Impl::write_registry(Registry::Keep keep) {
  registry_problem.clear();
  if (const auto flushed = registry->flush(keep); !flushed) registry_problem = sentence(flushed.error());
}

bool AgentCore::Impl::claimed(const Source& source) const {
  if (codec != Codec::kBatch || partitions <= 0 || !source.sent.idle()) return true;
  const auto end = source.sent.acknowledged_offset();
  if (source.origin >= end) return true;
  const bool long_enough =
      config.kafka.acks == "all" || source.claimed_ms - source.first_claimed_ms >= kClaimBelowAllMs;
  return source.claimed_offset == end && long_enough;
}

// What was acknowledged and never arrived (acks below all, a topic that forgets) shows when what
// comes next lies behind it. Where nothing comes next, this does: it goes the way of the batches.
void AgentCore::Impl::claim(const std::shared_ptr<Source>& source) {
  const auto end = source->sent.acknowledged_offset();
  const auto pause = claimed(*source) ? kClaimAgainMs : kClaimPauseMs;
  if (!held.empty() || (source->claimed_offset == end && now() - source->claimed_ms < pause)) return;
  if (!source->sent.idle() || source->origin >= end) return;
  if (source->partition < 0 || source->partition >= partitions) return;
  auto header = header_of(source->id, source->origin, source->path, source->input->name);
  header.kind = BatchKind::kLoss;
  header.range = {source->origin, end};
  auto payload = encode_loss(header);
  if (!payload) return;
  hand_over(for_each_topic(
                {.key = source->id.bytes(), .partition = source->partition, .payload = std::move(*payload)}),
            {.kind = InFlight::Kind::kClaim,
             .source = source,
             .loss = {},
             .content_bytes = end,
             .counts = {},
             .error = {}});
}

void AgentCore::Impl::heartbeat() {
  last_heartbeat_ms = now();
  if (codec != Codec::kBatch || partitions <= 0 || !held.empty()) return;
  for (const auto& [key, source] : sources) claim(source);
  if (!held.empty()) return;
  BatchHeader header;
  header.kind = BatchKind::kHeartbeat;
  header.agent_id = config.id;
  header.instance = registry->instance();
  header.host = host;
  header.sent_ms = header.watermark_ms = clock.wall_ms();
  for (const auto& [key, source] : sources) {
    if (source->drained()) continue;
    header.watermark_ms =
        std::min(header.watermark_ms, source->last_event_ms == kNoTime ? 0 : source->last_event_ms);
    header.lag_bytes += source->size() - std::min(source->size(), source->sent.acknowledged_offset());
  }
  auto payload = encode_heartbeat(header);
  if (!payload) return;
  const auto id = make_source_id(config.id, "heartbeat", "");
  Message message{.key = config.id,
                  .partition = static_cast<std::int32_t>(id.low % static_cast<std::uint64_t>(partitions)),
                  .payload = std::move(*payload)};
  hand_over(for_each_topic(std::move(message)), InFlight{});
}

bool AgentCore::Impl::caught_up() const {
  return scanned && !scan_wanted && held.empty() && leaving.empty() && registry->losses().empty() &&
         std::all_of(sources.begin(), sources.end(),
                     [](const auto& entry) { return entry.second->drained(); });
}

// What is new at once, what lasts once a minute: a broker that is away for a night fills no journal.
void AgentCore::Impl::say_trouble() {
  if (!options.say) return;
  std::map<std::string, std::string> sentences;  // by what they are about
  const auto status = output.status();
  if (!status.blocked_because.empty()) {
    sentences["output"] = fmt::format("output: {}; {} bytes wait for it, the files keep the rest",
                                      status.blocked_because, in_flight_bytes);
  }
  if (!registry_problem.empty()) sentences["registry"] = registry_problem;
  for (const auto& [path, what] : problems) sentences[path] = what;
  for (const auto& [key, source] : sources) {
    if (source->crowded_ms != 0 && now() - source->crowded_ms < kSayAgainMs &&
        sentences.size() < kMaxProblems)
      sentences[source->path] =
          source->path +
          ": its lines are of so many sites or minutes that batches of windows are closed early: "
          "nothing is lost, more is sent; is somebody making up host names?";
  }
  std::erase_if(said_ms, [&](const auto& said) { return now() - said.second >= kSayAgainMs; });
  for (const auto& [about, what] : sentences) {
    if (said_ms.try_emplace(about, now()).second) options.say(what);
  }
}

// Sources go on under the new inputs; those whose input is gone are left.
void AgentCore::Impl::take_config() {
  auto fresh = std::move(*next_config);
  next_config.reset();
  fresh.id = config.id;
  fresh.state_dir = config.state_dir;
  const auto old = std::exchange(config, std::move(fresh));  // keeps the inputs that sources point to
  parsers.clear();
  std::vector<std::shared_ptr<Source>> gone;
  for (auto& [key, source] : sources) {
    remember(*source);
    const auto input = std::find_if(config.inputs.begin(), config.inputs.end(), [&](const auto& candidate) {
      return candidate.name == source->input->name;
    });
    auto parser =
        input == config.inputs.end() ? Result<std::shared_ptr<LineParser>>(nullptr) : parser_for(*input);
    if (!parser || *parser == nullptr) {
      gone.push_back(source);
      continue;
    }
    source->input = &*input;
    source->parser = std::move(*parser);
    source->reader.rewind(source->reader.offset(), source->reader.tail_hash());
  }
  for (const auto& source : gone) {
    remove(source);
    drop_living(source->id);
  }
  scan_wanted = true;
}

void AgentCore::Impl::housekeeping() {
  if (next_config && in_flight.empty() && held.empty() && leaving.empty()) take_config();
  if (stopping || next_config) {
    if (next_config && !leaving.empty()) settle_leaving();
    return;
  }
  const auto since = now() - last_scan_ms;
  if (!scanned || (scan_wanted && since >= kScanPauseMs) || since >= config.tail.scan_interval.count())
    scan();
}

// ---- The outside

AgentCore::AgentCore() = default;
AgentCore::~AgentCore() = default;

Result<std::unique_ptr<AgentCore>> AgentCore::create(const AgentConfig& config, Parts parts,
                                                     AgentOptions options) {
  std::unique_ptr<AgentCore> core(new AgentCore);
  core->impl_ = std::make_unique<Impl>(parts.output, parts.files, parts.clock);
  auto& impl = *core->impl_;
  impl.config = config;
  impl.registry = std::move(parts.registry);
  impl.host = std::move(parts.host);
  impl.options = std::move(options);
  if (impl.config.id.empty()) impl.config.id = impl.host;
  const auto& name =
      config.output == AgentConfig::OutputKind::kKafka ? config.kafka.codec : config.text_codec;
  impl.codec = name == "raw" ? Codec::kRaw : name == "json" ? Codec::kJson : Codec::kBatch;
  // A single box has no topic between, and counts each line where it is parsed.
  if (config.output == AgentConfig::OutputKind::kKafka && impl.codec == Codec::kBatch &&
      !impl.options.position_of)
    impl.ships = config.kafka.ship;
  impl.batch = std::make_unique<LineBatch>(impl.codec, config.ship.zstd_level);
  impl.last_heartbeat_ms = impl.last_scan_ms = impl.last_flush_ms = impl.last_poll_ms = impl.now();
  if (!impl.registry->note().empty() && impl.options.say) impl.options.say(impl.registry->note());
  impl.output.set_on_settled(
      [self = core->impl_.get()](std::uint64_t id, const Error* error) { self->settled(id, error); });
  return core;
}

bool AgentCore::work() {
  auto& impl = *impl_;
  impl.output.poll();
  impl.housekeeping();
  return !impl.next_config && impl.pump();
}

void AgentCore::tick() {
  auto& impl = *impl_;
  const auto now = impl.now();
  if (now - impl.last_poll_ms >= impl.config.tail.poll_interval.count()) {
    impl.poll_sizes();
    impl.close_finished();
  }
  if (!impl.leaving.empty() && !impl.scan_wanted) impl.settle_leaving();
  if (now - impl.last_flush_ms >= kRegistryFlushMs) impl.flush_registry();
  if (!impl.stopping && now - impl.last_heartbeat_ms >= impl.config.ship.heartbeat_interval.count())
    impl.heartbeat();
  impl.say_trouble();
}

bool AgentCore::quiet() const {
  const auto& impl = *impl_;
  return impl.scanned && !impl.scan_wanted && !impl.stopping && !impl.next_config && impl.held.empty() &&
         impl.staged.empty() && impl.in_flight.empty() && impl.round.empty() && impl.leaving.empty() &&
         impl.registry->losses().empty();
}

std::uint64_t AgentCore::changes() const { return impl_->changes; }

void AgentCore::path_changed(const std::string& path, bool name_changed) {
  auto& impl = *impl_;
  if (const auto known = impl.by_path.find(path); known != impl.by_path.end()) {
    impl.mark(known->second);
    if (name_changed) impl.scan_wanted = true;
    return;
  }
  for (const auto& input : impl.config.inputs) {
    if (std::any_of(input.paths.begin(), input.paths.end(),
                    [&](const auto& pattern) { return on_the_way(pattern, path); })) {
      impl.scan_wanted = true;
      return;
    }
  }
}

void AgentCore::look_everywhere() { impl_->scan_wanted = true; }
const std::set<std::string>& AgentCore::folders_to_watch() const { return impl_->folders; }
void AgentCore::set_watched(std::set<std::string> folders) { impl_->watched = std::move(folders); }
std::uint64_t AgentCore::scans() const { return impl_->scan_count; }
void AgentCore::reload(AgentConfig config) { impl_->next_config = std::move(config); }

void AgentCore::stop() {
  if (std::exchange(impl_->stopping, true)) return;
  impl_->stop_asked_ms = impl_->now();
}

bool AgentCore::done() const {
  const auto& impl = *impl_;
  return impl.stopping && ((impl.in_flight.empty() && impl.held.empty()) ||
                           impl.now() - impl.stop_asked_ms > impl.config.ship.shutdown_timeout.count());
}

void AgentCore::finish() {
  for (const auto& source : impl_->leaving) impl_->remember(*source);
  impl_->flush_registry();
}

AgentStatus AgentCore::status() const {
  const auto& impl = *impl_;
  AgentStatus status = impl.totals;
  status.caught_up = impl.caught_up();
  status.in_flight_bytes = impl.in_flight_bytes;
  status.losses_waiting = impl.registry->losses().size();
  status.output = impl.output.status();
  for (const auto& [key, source] : impl.sources) {
    status.sources.push_back({source->id, source->path, source->input->name, source->size(),
                              source->reader.offset(), source->sent.acknowledged_offset(),
                              source->last_acknowledged_ms, source->state()});
    if (!source->trouble.empty()) status.problems.push_back(source->trouble);
  }
  if (!impl.registry_problem.empty()) status.problems.push_back(impl.registry_problem);
  for (const auto& [path, what] : impl.problems) status.problems.push_back(what);
  return status;
}

std::vector<PlanLine> AgentCore::plan() {
  std::vector<PlanLine> lines;
  impl_->planned = &lines;
  impl_->scan();
  impl_->planned = nullptr;
  for (const auto& [path, what] : impl_->problems) lines.push_back({path, {}, 0, 0, what});
  return lines;
}

}  // namespace weir
