// What the files of AgentCore share: core_files.cc (which files there are, and what they are),
// core_sources.cc (what becomes of the sources), core_ship.cc (reading and shipping), core_registry.cc
// (what the registry is told) and core.cc (the outside). No other file includes it.
//
// The core decides the order of things. Its parts keep the state: SourceTable, Lanes, Flight, Claims,
// Troubles.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/core.h"
#include "agent/follow/claims.h"
#include "agent/follow/decision.h"
#include "agent/follow/identity.h"
#include "agent/follow/lanes.h"
#include "agent/follow/source.h"
#include "agent/follow/sources.h"
#include "agent/ship/flight.h"
#include "agent/ship/line_batch.h"
#include "agent/troubles.h"

namespace weir {

// Before this offset there is little that could prove what a file is: its first line does.
inline constexpr std::uint64_t kYoungBytes = 4096;

inline std::string sentence(const Error& error) { return error.sentence(); }

struct AgentCore::Impl {
  Impl(const AgentConfig& configuration, Parts parts, AgentOptions chosen);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  AgentConfig config;
  std::optional<AgentConfig> next_config;
  Output& output;
  const FileSystem& files;
  const Clock& clock;
  AgentOptions options;
  std::unique_ptr<Registry> registry;
  std::string host;
  std::vector<RouteConfig> routes;
  LineBatch batch;

  SourceTable sources;
  Lanes lanes;
  Flight flight;
  Claims claims;
  Troubles troubles;

  std::unordered_map<SourceId, std::int64_t, SourceIdHash> vanished_at_ms;  // with bytes unread
  std::set<std::string> folders, watched;
  Registry::Keep staged_keep = Registry::Keep::kUsually;
  std::int64_t loss_again_ms = 0;
  std::int32_t partitions = 0;
  bool all_known = true;  // the last look could read every folder, and look at every file
  bool looked = false, look_wanted = true, stopping = false;
  std::uint64_t look_count = 0, changes = 0, flushed_changes = 0;
  // As of the last look: an idle tick then has no need to go through the sources.
  bool all_present = false, all_watched = false;
  std::int64_t look_took_ms = 0;
  std::int64_t last_look_ms = 0, last_heartbeat_ms = 0, last_flush_ms = 0, stop_asked_ms = 0,
               last_poll_ms = 0, last_crowded_ms = 0;
  AgentStatus totals;

  [[nodiscard]] std::int64_t now() const { return clock.steady_ms(); }
  void say(LogLevel level, std::string_view what) const {
    if (options.say) options.say(level, what);
  }
  // Of `config`: a parser keeps nothing of one line for the next, unless it reads directives.
  std::map<const InputConfig*, std::shared_ptr<LineParser>> parsers;
  Result<std::shared_ptr<LineParser>> parser_for(const InputConfig& input);

  // ---- core_files.cc
  struct Found {
    std::string path;
    const InputConfig* input;
  };
  struct Seen {
    const std::string* path;
    std::string_view family;  // the beginning of `path`
    const InputConfig* input;
    FileFacts facts;
    bool known;  // the registry knows the file
  };
  // Looks for files, decides about each and acts on it.
  std::vector<Decision> look();
  [[nodiscard]] std::int64_t look_pause_ms(bool wanted) const;
  [[nodiscard]] std::vector<Found> find_files();
  [[nodiscard]] std::vector<Seen> see_files(const std::vector<Found>& found);
  void index_paths();
  // `seen`: what the path led to when the look began.
  [[nodiscard]] Decision look_at(const std::string& path, const InputConfig& input, const FileFacts& seen);
  void identify_file(Decision& decision);
  void choose_start(Decision& decision);
  void act(Decision& decision);
  void follow(Decision& decision);
  void reopen(const std::string& path, Source& source);
  void take_over(Decision& decision);
  [[nodiscard]] Result<Identity> identity_of(const Sighting& sighting);
  [[nodiscard]] Result<std::uint64_t> end_to_start_at(Content& content, std::uint64_t size_bytes) const;
  void renamed(const std::shared_ptr<Source>& source, const std::string& path);

  // ---- core_sources.cc
  // It may have bytes that were not read.
  void wake(const std::shared_ptr<Source>& source);
  void touch(const std::shared_ptr<Source>& source);
  void leave(const std::shared_ptr<Source>& source);
  enum class Proof { kWhenChanged, kAlways };
  bool look_at_size(const std::shared_ptr<Source>& source, Proof proof = Proof::kWhenChanged);
  [[nodiscard]] Result<bool> has_same_bytes(Source& source, const FileFacts& facts, Proof proof) const;
  [[nodiscard]] Result<bool> begins_as_before(const Source& source) const;
  // There are few bytes before its offset that could prove what it is, or none that tell.
  [[nodiscard]] static bool needs_first_line(const Source& source) {
    return source.reader.position() < kYoungBytes || !source.reader.has_proof();
  }
  void unreadable(Source& source, const Error& error);
  // A watch announces when it grows.
  [[nodiscard]] bool is_watched(const Source& source) const {
    return source.present && source.folder && watched.contains(*source.folder);
  }
  void note_present_and_watched();
  void poll_sizes();
  void close_finished();
  void settle_leaving();
  void lose_unread(Source& source, LossCause cause);
  void give_up(const std::shared_ptr<Source>& source, LossCause cause);
  void give_up_unreadable();
  void release_under_pressure();

  // ---- core_registry.cc
  // How far the registry has a source on one of the routes.
  [[nodiscard]] std::uint64_t acknowledged_by(const RegistryEntry& entry, std::size_t route) const;
  void lose(const Source& source, ByteRange range, LossCause cause);
  void note_vanished();
  void note_truncated(RegistryEntry entry);
  void note_lost(RegistryEntry entry);
  void forget_old();
  void remember(Source& source);
  void flush_registry();
  void write_registry(Registry::Keep keep = Registry::Keep::kUsually);

  // ---- core_ship.cc
  bool pump();
  bool take_turn(const Lanes::Turn& turn);
  [[nodiscard]] Lanes::Load load() const;
  // Of some, or of all routes, ranges that were sent once are sent again with the same ends.
  [[nodiscard]] bool some_keep_ranges() const;
  [[nodiscard]] bool all_keep_ranges() const;
  // Those who read some route count bytes of files: they are told of losses, and get claims and heartbeats.
  [[nodiscard]] bool counts_bytes() const;
  // The route's own, unless that keeps ranges and the source's are not known: it goes as records then.
  [[nodiscard]] Codec codec_of(std::size_t route, const Source& source) const;
  [[nodiscard]] std::uint64_t batch_limit(const Source& source) const;
  [[nodiscard]] bool gathers(const Source& source) const;
  bool ship(const std::shared_ptr<Source>& source);
  [[nodiscard]] bool may_ship(const std::shared_ptr<Source>& source);
  // What was read of a source and is not sent yet: its lines are in `batch`.
  struct Read {
    std::uint64_t begin = 0;
    std::string tail_before;
    std::vector<std::size_t> takers;  // routes that want it
    bool uncut = false;               // one of them keeps its ranges
  };
  [[nodiscard]] std::optional<Read> read_batch(const std::shared_ptr<Source>& source);
  // Where a range that begins at `offset` ended when it was sent before. 0: it was not.
  [[nodiscard]] std::uint64_t next_cut(const Source& source, std::uint64_t offset) const;
  void choose_takers(const Source& source, std::uint64_t end, Read& read) const;
  void begin_batch(const Source& source, const Read& read);
  [[nodiscard]] bool is_still_the_file(const std::shared_ptr<Source>& source, const Read& read);
  void note_end(Source& source, bool filled);
  bool send_batch(const std::shared_ptr<Source>& source, Read read);
  [[nodiscard]] Result<std::vector<Message>> messages_of(const Source& source, const Read& read,
                                                         BatchHeader header);
  void pin_partition(Source& source) const;
  void note_read(const SentLines& lines);
  bool send_staged();
  void take_back(const Flight::Staged& staged);
  bool ship_losses();
  [[nodiscard]] std::vector<Message> for_each_route(const Message& message);
  [[nodiscard]] BatchHeader header_of(const SourceId& id, std::uint64_t origin, const std::string& path,
                                      const std::string& input) const;
  void settled(const Flight::Settled& done);
  void lines_settled(const SentLines& lines, const Flight::Settled& done);
  void loss_settled(const Loss& loss, bool acknowledged);
  [[nodiscard]] bool claimed(const Source& source) const;
  void claim(const std::shared_ptr<Source>& source);
  void heartbeat();

  // ---- core.cc
  void housekeeping();
  void take_config();
  void say_troubles();
  [[nodiscard]] bool caught_up() const;
};

}  // namespace weir
