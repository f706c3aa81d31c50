#include "agent/agent.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "agent/tail/followed.h"
#include "agent/tail/registry.h"

namespace weir {
namespace {

constexpr std::uint64_t kTickMs = 100;
constexpr std::uint64_t kRegistryFlushMs = 200;
constexpr std::int64_t kPublishMs = 500;
constexpr std::int64_t kSayAgainMs = 60'000;
constexpr std::size_t kMaxNames = 16;

std::int64_t wall_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::vector<std::string> expand(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return paths;
}

// The folder itself when it exists, else the nearest one above it that does.
std::string existing_folder(std::string folder) {
  struct stat facts{};
  while (folder != "/" && folder != "." && (::stat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)))
    folder = folder_of(folder);
  return folder;
}

struct Source {
  std::string path;
  // The names that it had, newest last: a new file under one of them is no copy of it.
  std::deque<std::string> names;
  const InputConfig* input = nullptr;
  std::shared_ptr<Content> content;
  FileFacts facts;
  std::unique_ptr<LineParser> parser;
  SourceId id;
  std::uint64_t origin = 0;
  std::int32_t partition = -1;
  LineReader reader;
  SentRanges sent;
  bool dirty = true;  // may have bytes that were not read
  std::int64_t dirty_since_ms = 0;
  bool present = true;  // its path was there at the last scan
  std::int64_t quiet_since_ms = 0;
  std::int64_t last_event_ms = kNoTime;
  std::int64_t last_acknowledged_ms = 0;
  bool registry_dirty = true;
  std::string trouble;

  void named(const std::string& name) {
    path = name;
    std::erase(names, name);
    names.push_back(name);
    if (names.size() > kMaxNames) names.pop_front();
  }
  [[nodiscard]] bool drained() const { return !dirty && sent.idle() && !sent.failed(); }
  [[nodiscard]] std::uint64_t size() const {
    return content->compressed() ? reader.position() : std::max(facts.size_bytes, reader.position());
  }
  [[nodiscard]] std::string state() const {
    if (!trouble.empty()) return trouble;
    if (facts.links == 0) return "gone";
    return present ? "active" : "rotated";
  }
};

using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

struct Identity {
  SourceId id;                            // empty: nothing to read, for now
  const RegistryEntry* entry = nullptr;   // what the registry knows of it
  std::optional<std::uint64_t> position;  // where options.position_of lets it begin
};

struct InFlight {
  std::shared_ptr<Source> source;  // null: a heartbeat
  std::uint64_t content_bytes = 0;
  LineBatch::Counts counts;
  std::int64_t last_event_ms = kNoTime;
};

// The registry's source goes on in a file only if the bytes before its offset are there.
Result<bool> continues(const RegistryEntry& entry, Content& content) {
  if (entry.tail_hash.empty()) return true;
  const auto hash = tail_hash(content, entry.acknowledged_offset);
  if (!hash) return std::unexpected(hash.error());
  return *hash == entry.tail_hash;
}

}  // namespace

struct Agent::Impl {
  AgentConfig config;
  std::optional<AgentConfig> next_config;
  Output* output = nullptr;
  AgentOptions options;
  std::unique_ptr<Registry> registry;
  std::string host;
  std::unique_ptr<LineBatch> batch;
  Codec codec = Codec::kBatch;

  std::map<FileKey, std::shared_ptr<Source>> sources;
  std::vector<std::shared_ptr<Source>>
      leaving;  // truncated or replaced: only their acknowledgements are awaited
  std::map<std::string, std::string> problems;  // path -> sentence
  std::map<std::string, std::unique_ptr<uv_fs_event_t>> watches;
  std::set<std::string> waiting;  // files without a first line yet
  std::deque<FileKey> round;      // fair turns
  std::unordered_map<std::uint64_t, InFlight> in_flight;
  struct Held {
    Message message;
    InFlight entry;
  };
  std::optional<Held> held;  // the output was full
  std::uint64_t next_message_id = 1;
  std::uint64_t in_flight_bytes = 0;
  std::int32_t partitions = 0;
  bool scanned = false, scan_wanted = true, stopping = false;
  std::int64_t last_scan_ms = 0, last_heartbeat_ms = 0, last_flush_ms = 0, stop_asked_ms = 0,
               last_said_ms = 0, last_published_ms = 0;
  AgentStatus totals;

  uv_loop_t loop{};
  bool loop_open = false;
  uv_async_t wake{};
  uv_timer_t tick{};
  uv_idle_t more{};
  uv_poll_t output_poll{};
  bool polling = false;

  mutable std::mutex mutex;  // of what other threads touch
  AgentStatus snapshot;
  bool stop_flag = false;
  bool running = false;
  std::optional<AgentConfig> reload_flag;

  Result<void> prepare_codec();
  void scan();
  void look_at(const std::string& path, const InputConfig& input);
  Result<Identity> identify(const std::string& path, Content& content, const FileFacts& facts);
  [[nodiscard]] Source* followed(const SourceId& id) const;
  Result<void> open_source(const std::string& path, const InputConfig& input,
                           std::shared_ptr<Content> content, const FileFacts& facts);
  Result<std::unique_ptr<LineParser>> parser_for(const InputConfig& input) const;
  void watch(const std::string& folder);
  void mark(const std::shared_ptr<Source>& source);
  void check_sizes();
  bool pump();
  bool ship(const std::shared_ptr<Source>& source);
  bool hand_over(Message message, InFlight entry);
  void settled(std::uint64_t id, const Error* error);
  void remember(Source& source);
  void flush_registry();
  void heartbeat();
  void housekeeping();
  void on_tick();
  void publish();
  void say_trouble();
  [[nodiscard]] bool caught_up() const;
  void work_more();
  void close_loop();
};

Result<void> Agent::Impl::prepare_codec() {
  const auto& name =
      config.output == AgentConfig::OutputKind::kKafka ? config.kafka.codec : config.text_codec;
  codec = name == "raw" ? Codec::kRaw : name == "json" ? Codec::kJson : Codec::kBatch;
  batch = std::make_unique<LineBatch>(codec, config.ship.zstd_level);
  return {};
}

Result<std::unique_ptr<LineParser>> Agent::Impl::parser_for(const InputConfig& input) const {
  const auto own = config.formats.find(input.format);
  if (own != config.formats.end()) return compile_format(own->second, input.client);
  const auto named = named_format(input.format);
  if (!named) return std::unexpected(named.error());
  return compile_format(*named, input.client);
}

void Agent::Impl::watch(const std::string& wanted) {
  const auto folder = existing_folder(wanted);
  if (watches.contains(folder)) return;
  auto event = std::make_unique<uv_fs_event_t>();
  uv_fs_event_init(&loop, event.get());
  event->data = this;
  const auto status = uv_fs_event_start(
      event.get(),
      [](uv_fs_event_t* handle, const char* name, int events, int) {
        auto& self = *static_cast<Impl*>(handle->data);
        std::array<char, 4096> folder_name{};
        std::size_t size = folder_name.size();
        if (name == nullptr || uv_fs_event_getpath(handle, folder_name.data(), &size) != 0) {
          self.scan_wanted = true;
        } else {
          const auto path = std::string(folder_name.data(), size) + "/" + name;
          // A rename, or a file that no source has yet, needs a scan; growth only a read.
          bool known = false;
          for (auto& [key, source] : self.sources) {
            if (source->path == path) {
              self.mark(source);
              known = true;
            }
          }
          if (!known || (events & UV_RENAME) != 0) self.scan_wanted = true;
        }
        self.work_more();
      },
      folder.c_str(), 0);
  if (status != 0) {
    // Not fatal: the scan finds what changes, later.
    problems["watch " + folder] = fmt::format("{}: cannot be watched ({}); it is looked at every {} ms",
                                              folder, uv_strerror(status), config.tail.scan_interval.count());
  }
  watches.emplace(folder, std::move(event));
}

void Agent::Impl::mark(const std::shared_ptr<Source>& source) {
  if (!source->dirty) {
    source->dirty = true;
    source->dirty_since_ms = wall_ms();
  }
}

void Agent::Impl::scan() {
  check_sizes();  // a truncated file must have made way for its copy
  last_scan_ms = wall_ms();
  scan_wanted = false;
  for (auto& [key, source] : sources) source->present = false;
  waiting.clear();
  std::erase_if(problems, [](const auto& problem) { return !problem.first.starts_with("watch "); });
  std::vector<std::pair<std::string, const InputConfig*>> found;
  for (const auto& input : config.inputs) {
    for (const auto& pattern : input.paths) {
      for (const auto& folder : expand(folder_of(pattern))) watch(folder);
      auto fixed = folder_of(pattern);
      while (fixed.find_first_of("*?[") != std::string::npos) fixed = folder_of(fixed);
      watch(fixed);
      for (const auto& path : expand(pattern)) {
        const bool excluded = std::any_of(
            input.exclude.begin(), input.exclude.end(),
            [&](const std::string& glob) { return ::fnmatch(glob.c_str(), path.c_str(), 0) == 0; });
        if (!excluded) found.emplace_back(path, &input);
      }
    }
  }
  // After a start, files that were followed before come first: what shares its first line with
  // one of them, a copy that is still being written say, is then compared with it.
  if (!scanned) {
    std::stable_partition(found.begin(), found.end(), [&](const auto& candidate) {
      struct stat named{};
      return ::stat(candidate.first.c_str(), &named) == 0 && registry->knows_file(named.st_dev, named.st_ino);
    });
  }
  for (const auto& [path, input] : found) look_at(path, *input);
  for (auto& [key, source] : sources) {
    if (!source->present && source->quiet_since_ms == 0) source->quiet_since_ms = last_scan_ms;
    mark(source);
  }
  scanned = true;
}

void Agent::Impl::look_at(const std::string& path, const InputConfig& input) {
  struct stat named{};
  if (::stat(path.c_str(), &named) != 0) return;  // gone since the glob
  if (const auto known = sources.find({named.st_dev, named.st_ino}); known != sources.end()) {
    auto& source = *known->second;
    if (!source.present || source.path.size() > path.size()) source.named(path);
    source.present = true;
    source.quiet_since_ms = 0;
    return;
  }
  if (input.ignore_older.count() > 0 &&
      wall_ms() - static_cast<std::int64_t>(named.st_mtim.tv_sec) * 1000 > input.ignore_older.count())
    return;
  if (!S_ISREG(named.st_mode)) {
    problems[path] = path + ": is not a regular file; exclude it from the input's paths";
    return;
  }
  auto content = Content::open(path);
  if (!content) {
    if (content.error().code != Code::kNotFound)
      problems[path] =
          content.error().what + (content.error().hint.empty() ? "" : "; " + content.error().hint);
    return;
  }
  const auto facts = (*content)->facts();
  if (!facts) {
    problems[path] = facts.error().what;
    return;
  }
  if (auto opened = open_source(path, input, std::move(*content), *facts); !opened)
    problems[path] = opened.error().what;
}

Source* Agent::Impl::followed(const SourceId& id) const {
  const auto found =
      std::find_if(sources.begin(), sources.end(), [&](const auto& entry) { return entry.second->id == id; });
  return found == sources.end() ? nullptr : found->second.get();
}

// Who the file is: a source that goes on, a new one, or (no id) nothing to read for now.
Result<Identity> Agent::Impl::identify(const std::string& path, Content& content, const FileFacts& facts) {
  Identity identity;
  const auto line = first_data_line(content);
  if (!line) return std::unexpected(line.error());
  if (line->empty()) {
    waiting.insert(path);
    return identity;
  }
  const auto family = log_family(path);
  auto& id = identity.id;
  id = make_source_id(config.id, family, *line);
  // A look-alike's id: of the file, too. An inode that comes again makes another generation.
  const auto salted = [&](int generation) {
    return make_source_id(config.id, family, *line,
                          generation == 0 ? fmt::format("{}:{}", facts.device, facts.inode)
                                          : fmt::format("{}:{}:{}", facts.device, facts.inode, generation));
  };
  const RegistryEntry*& entry = identity.entry;
  int free_generation = 0;
  for (const auto* known = registry->find(salted(0)); known != nullptr && entry == nullptr;
       known = registry->find(salted(free_generation))) {
    const auto goes_on = continues(*known, content);
    if (!goes_on) return std::unexpected(goes_on.error());
    if (*goes_on) entry = known;
    ++free_generation;
  }
  auto& position = identity.position;
  if (options.position_of) position = options.position_of(salted(0));
  if (entry != nullptr) {
    id = entry->id;
  } else if (position) {
    id = salted(0);
  } else if (auto* other = followed(id); other != nullptr) {
    const auto now = other->content->facts();
    if (now && !other->content->compressed() && now->size_bytes < other->reader.position()) {
      scan_wanted = true;  // truncated a moment ago: its copy is looked at once it has left
      return Identity{};
    }
    const auto relation = relation_to(content, facts, path, *other->content, other->names);
    if (!relation) return std::unexpected(relation.error());
    if (*relation == Relation::kCopy) return Identity{};
    if (*relation == Relation::kLookAlike) id = salted(free_generation);
    if (*relation == Relation::kContinues) {
      remember(*other);
      entry = registry->find(id);
    }
  } else if (options.position_of) {
    position = options.position_of(id);
    // The store has counted more of that source than this file has: it is another one.
    if (position && !content.compressed() && *position > facts.size_bytes) {
      id = salted(0);
      position.reset();
    }
  } else if (const auto* known = registry->find(id); known != nullptr) {
    const auto goes_on = continues(*known, content);
    if (!goes_on) return std::unexpected(goes_on.error());
    if (*goes_on) {
      entry = known;
    } else {
      id = salted(free_generation);
    }
  }
  return identity;
}

Result<void> Agent::Impl::open_source(const std::string& path, const InputConfig& input,
                                      std::shared_ptr<Content> content, const FileFacts& facts) {
  auto identity = identify(path, *content, facts);
  if (!identity) return std::unexpected(identity.error());
  if (identity->id.empty()) return {};
  const auto* entry = identity->entry;
  auto parser = parser_for(input);
  if (!parser) return std::unexpected(parser.error());
  std::uint64_t offset = 0;
  std::uint64_t origin = 0;
  if (entry != nullptr) {
    offset = entry->acknowledged_offset;
    origin = entry->origin;
  } else if (identity->position) {
    offset = *identity->position;
  } else if (input.start_at_end && !scanned && !content->compressed()) {
    // Told to begin at the end: at the start of the line that is being written.
    offset = facts.size_bytes;
    std::string tail;
    const auto from = offset > (1U << 20) ? offset - (1U << 20) : 0;
    if (const auto got = content->read(from, offset - from, tail); !got) return std::unexpected(got.error());
    const auto newline = tail.rfind('\n');
    offset = newline == std::string::npos ? offset : from + newline + 1;
    origin = offset;
  }
  auto source = std::make_shared<Source>(Source{.path = path,
                                                .names = {path},
                                                .input = &input,
                                                .content = content,
                                                .facts = facts,
                                                .parser = std::move(*parser),
                                                .id = identity->id,
                                                .origin = origin,
                                                .partition = entry != nullptr ? entry->partition : -1,
                                                .reader = LineReader(content, offset, input.max_line),
                                                .sent = SentRanges(offset),
                                                .trouble = {}});
  if (entry != nullptr && entry->path != path) source->names.push_front(entry->path);
  source->dirty_since_ms = 0;
  const FileKey key{facts.device, facts.inode};
  sources[key] = source;
  round.push_back(key);
  return {};
}

// A file that shrank has new content: what was read of the old one is in flight, the rest is gone.
void Agent::Impl::check_sizes() {
  for (auto at = sources.begin(); at != sources.end();) {
    auto& source = at->second;
    const auto facts = source->content->facts();
    if (facts) {
      source->facts = *facts;
      if (!source->content->compressed()) {
        if (facts->size_bytes > source->reader.position()) mark(source);
        if (facts->size_bytes < source->reader.position()) {
          remember(*source);
          leaving.push_back(source);
          at = sources.erase(at);
          scan_wanted = true;
          continue;
        }
      }
    }
    const bool quiet =
        source->quiet_since_ms != 0 && wall_ms() - source->quiet_since_ms > config.tail.close_rotated.count();
    if (!source->present && source->drained() && quiet) {
      remember(*source);
      at = sources.erase(at);
      continue;
    }
    ++at;
  }
  std::erase_if(leaving, [](const auto& source) { return source->sent.idle(); });
}

bool Agent::Impl::hand_over(Message message, InFlight entry) {
  const auto id = message.id;
  const auto bytes = message.payload.size();
  const auto sent = output->send(message);
  if (!sent && sent.error().code == Code::kFull) {
    held = Held{std::move(message), std::move(entry)};
    return false;
  }
  if (entry.source) totals.wire_bytes += bytes;
  in_flight.emplace(id, std::move(entry));
  if (!sent) settled(id, &sent.error());
  return true;
}

bool Agent::Impl::ship(const std::shared_ptr<Source>& source) {
  if (source->sent.failed()) {
    if (!source->sent.idle()) return false;
    source->reader.rewind(source->sent.acknowledged_offset());
    source->sent.rewound();
  }
  const auto now = wall_ms();
  if (!source->sent.idle() && !stopping) {
    // Something of it is in flight: gather, so that a busy file makes full batches.
    const auto unread = source->facts.size_bytes > source->reader.position()
                            ? source->facts.size_bytes - source->reader.position()
                            : 0;
    const bool full = source->content->compressed() || unread >= config.ship.batch_max_bytes;
    if (!full && now - source->dirty_since_ms < config.ship.flush_interval.count()) return false;
  }
  const auto begin = source->reader.offset();
  batch->begin(*source->parser);
  const auto filled = source->reader.fill(*batch, config.ship.batch_max_bytes, *source->parser);
  source->trouble.clear();
  if (!filled) source->trouble = "unreadable: " + filled.error().what;
  if (!filled || source->reader.at_end()) source->dirty = false;
  if (source->dirty) source->dirty_since_ms = 0;
  if (batch->content_bytes() == 0) return false;
  if (source->partition < 0 || source->partition >= partitions)
    source->partition = static_cast<std::int32_t>(source->id.low % static_cast<std::uint64_t>(partitions));
  BatchHeader header;
  header.source = source->id;
  header.range = {begin, source->reader.offset()};
  header.origin = source->origin;
  header.agent_id = config.id;
  header.instance = registry->instance();
  header.host = host;
  header.input = source->input->name;
  header.path = source->path;
  header.fields.assign(source->input->fields.begin(), source->input->fields.end());
  header.sent_ms = now;
  InFlight entry{source, header.range.size(), batch->counts(), batch->last_time_ms()};
  auto payload = batch->finish(header);
  if (!payload) {
    // Cannot happen with a range of our own making; never go on past lines that were not sent.
    source->trouble = "unreadable: " + payload.error().what;
    source->reader.rewind(begin);
    return false;
  }
  totals.read_lines += entry.counts.lines;
  totals.read_bytes += entry.content_bytes;
  totals.unparsed_lines += entry.counts.unparsed;
  totals.filtered_lines += entry.counts.filtered;
  totals.truncated_lines += entry.counts.truncated;
  in_flight_bytes += entry.content_bytes;
  Message message{.id = next_message_id++,
                  .key = source->id.bytes(),
                  .partition = source->partition,
                  .payload = std::move(*payload),
                  .split_lines = codec != Codec::kBatch};
  source->sent.sent(message.id, header.range);
  return hand_over(std::move(message), std::move(entry));
}

// One turn for each source that has something; true when there is more to do at once.
bool Agent::Impl::pump() {
  if (held) {
    auto again = std::move(*held);
    held.reset();
    if (!hand_over(std::move(again.message), std::move(again.entry))) return false;
  }
  partitions = output->partition_count();
  if (partitions <= 0) return false;
  bool shipped = false;
  for (auto turns = round.size(); turns > 0 && !held; --turns) {
    if (in_flight_bytes >= config.ship.max_in_flight) return false;
    const auto key = round.front();
    round.pop_front();
    const auto found = sources.find(key);
    if (found == sources.end()) continue;
    round.push_back(key);
    const auto source = found->second;
    if ((source->dirty || source->sent.failed()) && (!stopping || source->sent.failed()))
      shipped |= ship(source);
  }
  return shipped && !held;
}

void Agent::Impl::settled(std::uint64_t id, const Error* error) {
  const auto found = in_flight.find(id);
  if (found == in_flight.end()) return;
  const auto entry = std::move(found->second);
  in_flight.erase(found);
  if (!entry.source) return;
  auto& source = *entry.source;
  in_flight_bytes -= entry.content_bytes;
  source.sent.settled(id, error == nullptr);
  if (error != nullptr) {
    mark(entry.source);
    return;
  }
  totals.shipped_lines += entry.counts.lines;
  totals.shipped_bytes += entry.content_bytes;
  ++totals.shipped_batches;
  source.last_event_ms = std::max(source.last_event_ms, entry.last_event_ms);
  source.last_acknowledged_ms = wall_ms();
  source.registry_dirty = true;
  if (!source.present && source.quiet_since_ms != 0) source.quiet_since_ms = source.last_acknowledged_ms;
}

void Agent::Impl::remember(Source& source) {
  if (options.position_of) return;
  RegistryEntry entry;
  if (const auto* known = registry->find(source.id)) entry = *known;
  entry.id = source.id;
  entry.path = source.path;
  entry.input = source.input->name;
  entry.device = source.facts.device;
  entry.inode = source.facts.inode;
  entry.partition = source.partition;
  entry.origin = source.origin;
  entry.size_bytes = source.size();
  entry.last_acknowledged_ms = source.last_acknowledged_ms;
  entry.state = source.state();
  const auto offset = source.sent.acknowledged_offset();
  if (entry.acknowledged_offset != offset || entry.tail_hash.empty()) {
    entry.acknowledged_offset = offset;
    entry.tail_hash.clear();
    // A compressed file would be decompressed from its start for this; its first line must do.
    if (!source.content->compressed()) {
      if (auto hash = tail_hash(*source.content, offset)) entry.tail_hash = std::move(*hash);
    }
  }
  registry->put(entry);
  source.registry_dirty = false;
}

void Agent::Impl::flush_registry() {
  last_flush_ms = wall_ms();
  for (auto& [key, source] : sources) {
    if (source->registry_dirty) remember(*source);
  }
  problems.erase("watch registry");
  if (const auto flushed = registry->flush(); !flushed)
    problems["watch registry"] = flushed.error().what + "; " + flushed.error().hint;
}

void Agent::Impl::heartbeat() {
  last_heartbeat_ms = wall_ms();
  if (codec != Codec::kBatch || partitions <= 0 || held) return;
  BatchHeader header;
  header.kind = BatchKind::kHeartbeat;
  header.agent_id = config.id;
  header.instance = registry->instance();
  header.host = host;
  header.sent_ms = header.watermark_ms = last_heartbeat_ms;
  for (const auto& [key, source] : sources) {
    if (source->drained()) continue;
    header.watermark_ms =
        std::min(header.watermark_ms, source->last_event_ms == kNoTime ? 0 : source->last_event_ms);
    header.lag_bytes += source->size() - std::min(source->size(), source->sent.acknowledged_offset());
  }
  auto payload = encode_heartbeat(header);
  if (!payload) return;
  const auto id = make_source_id(config.id, "heartbeat", "");
  Message message{.id = next_message_id++,
                  .key = config.id,
                  .partition = static_cast<std::int32_t>(id.low % static_cast<std::uint64_t>(partitions)),
                  .payload = std::move(*payload)};
  hand_over(std::move(message), InFlight{});
}

bool Agent::Impl::caught_up() const {
  return scanned && !scan_wanted && !held && leaving.empty() &&
         std::all_of(sources.begin(), sources.end(),
                     [](const auto& entry) { return entry.second->drained(); });
}

void Agent::Impl::publish() {
  last_published_ms = wall_ms();
  AgentStatus status = totals;
  status.caught_up = caught_up();
  status.in_flight_bytes = in_flight_bytes;
  status.output = output->status();
  for (const auto& [key, source] : sources) {
    status.sources.push_back({source->id, source->path, source->input->name, source->size(),
                              source->reader.offset(), source->sent.acknowledged_offset(),
                              source->last_acknowledged_ms, source->state()});
    if (!source->trouble.empty()) status.problems.push_back(source->trouble);
  }
  for (const auto& [path, sentence] : problems) status.problems.push_back(sentence);
  const std::lock_guard lock(mutex);
  snapshot = std::move(status);
}

// Once a minute, so that a broker that is away for a night fills no journal.
void Agent::Impl::say_trouble() {
  const auto now = wall_ms();
  if (now - last_said_ms < kSayAgainMs) return;
  std::vector<std::string> sentences;
  const auto status = output->status();
  if (!status.blocked_because.empty()) {
    sentences.push_back(fmt::format("output: {}; {} bytes wait for it, the files keep the rest",
                                    status.blocked_because, in_flight_bytes));
  }
  for (const auto& [path, sentence] : problems) sentences.push_back(sentence);
  if (sentences.empty()) return;
  last_said_ms = now;
  for (const auto& sentence : sentences) fmt::print(stderr, "weir-agent: {}\n", sentence);
}

void Agent::Impl::housekeeping() {
  const auto now = wall_ms();
  bool stop = false;
  {
    const std::lock_guard lock(mutex);
    stop = stop_flag;
    if (reload_flag) next_config = std::exchange(reload_flag, std::nullopt);
  }
  if (next_config && in_flight.empty() && !held) {
    // Inputs are held by pointer: sources are opened again from the registry under the new ones.
    for (auto& [key, source] : sources) remember(*source);
    sources.clear();
    round.clear();
    auto fresh = std::move(*next_config);
    next_config.reset();
    fresh.id = config.id;
    fresh.state_dir = config.state_dir;
    config = std::move(fresh);
    scan_wanted = true;
  }
  if (stop && !stopping) {
    stopping = true;
    stop_asked_ms = now;
  }
  if (stopping) {
    if ((in_flight.empty() && !held) || now - stop_asked_ms > config.ship.shutdown_timeout.count())
      uv_stop(&loop);
    return;
  }
  if (next_config) return;
  if (scan_wanted || now - last_scan_ms >= config.tail.scan_interval.count()) scan();
}

void Agent::Impl::close_loop() {
  if (!std::exchange(loop_open, false)) return;
  uv_walk(
      &loop,
      [](uv_handle_t* handle, void*) {
        if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
      },
      nullptr);
  while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
  }
  uv_loop_close(&loop);
}

void Agent::Impl::work_more() {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&more)) != 0) return;
  uv_idle_start(&more, [](uv_idle_t* handle) {
    auto& self = *static_cast<Impl*>(handle->data);
    self.output->poll();
    self.housekeeping();
    const bool again = !self.next_config && self.pump();
    if (!again) {
      uv_idle_stop(handle);
      self.publish();
    }
  });
}

void Agent::Impl::on_tick() {
  const auto now = wall_ms();
  check_sizes();
  if (now - last_flush_ms >= static_cast<std::int64_t>(kRegistryFlushMs)) flush_registry();
  if (!stopping && now - last_heartbeat_ms >= config.ship.heartbeat_interval.count()) heartbeat();
  say_trouble();
  // While there is always more to do, work_more() does not come to it.
  if (now - last_published_ms >= kPublishMs) publish();
  work_more();
}

Agent::Agent() : impl_(std::make_unique<Impl>()) {}

Agent::~Agent() { impl_->close_loop(); }

Result<std::unique_ptr<Agent>> Agent::create(const AgentConfig& config, Output& output,
                                             AgentOptions options) {
  std::unique_ptr<Agent> agent(new Agent);
  auto& impl = *agent->impl_;
  impl.config = config;
  impl.output = &output;
  impl.options = std::move(options);
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  impl.host = name.data();
  if (impl.config.id.empty()) impl.config.id = impl.host;
  if (impl.options.position_of) {
    impl.registry = Registry::in_memory();
  } else {
    auto registry = Registry::open(config.state_dir);
    if (!registry) return std::unexpected(registry.error());
    impl.registry = std::move(*registry);
  }
  if (auto prepared = impl.prepare_codec(); !prepared) return std::unexpected(prepared.error());
  if (uv_loop_init(&impl.loop) != 0)
    return fail(Code::kIo, "the event loop could not be made", "raise the limit of open files");
  impl.loop_open = true;
  impl.output->set_on_settled([self = &impl](std::uint64_t id, const Error* error) {
    self->settled(id, error);
    self->work_more();
  });
  uv_async_init(&impl.loop, &impl.wake,
                [](uv_async_t* handle) { static_cast<Impl*>(handle->data)->work_more(); });
  uv_timer_init(&impl.loop, &impl.tick);
  uv_idle_init(&impl.loop, &impl.more);
  impl.wake.data = impl.tick.data = impl.more.data = impl.output_poll.data = &impl;
  return agent;
}

Result<void> Agent::run() {
  auto& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    impl.running = true;
  }
  if (const auto fd = impl.output->readable_fd();
      fd >= 0 && uv_poll_init(&impl.loop, &impl.output_poll, fd) == 0) {
    impl.polling = true;
    uv_poll_start(&impl.output_poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
      auto& self = *static_cast<Impl*>(handle->data);
      self.output->poll();
      self.work_more();
    });
  }
  uv_timer_start(
      &impl.tick, [](uv_timer_t* handle) { static_cast<Impl*>(handle->data)->on_tick(); }, 0, kTickMs);
  impl.work_more();
  uv_run(&impl.loop, UV_RUN_DEFAULT);
  for (const auto& source : impl.leaving) impl.remember(*source);
  impl.flush_registry();
  impl.publish();
  {
    // From here on stop() must not touch the loop.
    const std::lock_guard lock(impl.mutex);
    impl.running = false;
  }
  impl.close_loop();
  return {};
}

void Agent::stop() {
  const std::lock_guard lock(impl_->mutex);
  impl_->stop_flag = true;
  if (impl_->running) uv_async_send(&impl_->wake);
}

void Agent::reload(AgentConfig config) {
  const std::lock_guard lock(impl_->mutex);
  impl_->reload_flag = std::move(config);
  if (impl_->running) uv_async_send(&impl_->wake);
}

AgentStatus Agent::status() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->snapshot;
}

}  // namespace weir
