// Shared by the files of AgentCore: core_files.cc (finding and identifying files), core_sources.cc (changes
// of followed sources), core_ship.cc (reading and shipping), core_registry.cc (updating the registry),
// core_check.cc (invariants) and core.cc (the public interface). No other file includes it.
//
// The core decides the order of actions. Its parts keep the state: SourceTable, Lanes, Flight, Claims,
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

// Below this offset a file has too few bytes to prove which source it is, so its first line is compared, too.
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

  // When sources with unread bytes vanished.
  std::unordered_map<SourceId, std::int64_t, SourceIdHash> vanished_at_ms;
  std::set<std::string> folders, watched;
  Registry::Keep staged_keep = Registry::Keep::kUsually;
  std::int64_t loss_again_ms = 0;
  std::int32_t partitions = 0;
  bool all_known = true;  // the last scan could read every folder and check every file
  bool scanned = false, scan_wanted = true, stopping = false;
  std::uint64_t scan_count = 0, changes = 0, flushed_changes = 0;
  // As of the last scan. If both are true, an idle tick need not visit the sources.
  bool all_present = false, all_watched = false;
  std::int64_t scan_took_ms = 0;
  std::int64_t last_scan_ms = 0, last_heartbeat_ms = 0, last_flush_ms = 0, stop_asked_ms = 0,
               last_poll_ms = 0, last_crowded_ms = 0;
  AgentStatus totals;

  [[nodiscard]] std::int64_t now() const { return clock.steady_ms(); }
  void say(LogLevel level, std::string_view what) const {
    if (options.say) options.say(level, what);
  }
  // The parsers of `config`'s inputs. A parser keeps no state between lines, unless it reads directives.
  std::map<const InputConfig*, std::shared_ptr<LineParser>> parsers;
  Result<std::shared_ptr<LineParser>> parser_for(const InputConfig& input);

  // ---- core_files.cc
  struct Found {
    std::string path;
    const InputConfig* input;
  };
  struct Seen {
    const std::string* path;
    std::string_view family;  // a prefix of `path`
    const InputConfig* input;
    FileFacts facts;
    bool known;  // the registry knows this file
  };
  // Scans for files, makes a decision about each and acts on it.
  std::vector<Decision> scan();
  [[nodiscard]] std::int64_t scan_pause_ms(bool wanted) const;
  [[nodiscard]] std::vector<Found> find_files();
  [[nodiscard]] std::vector<Seen> see_files(const std::vector<Found>& found);
  void index_paths();
  // `seen`: what the path led to when the scan began.
  [[nodiscard]] Decision decide(const std::string& path, const InputConfig& input, const FileFacts& seen);
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
  // Call it when the source may have unread bytes.
  void wake(const std::shared_ptr<Source>& source);
  void touch(const std::shared_ptr<Source>& source);
  void leave(const std::shared_ptr<Source>& source);
  // Logs that the file no longer has the bytes that were read, and leaves it.
  void truncated(const std::shared_ptr<Source>& source);
  enum class Proof { kWhenChanged, kAlways };
  bool check_size(const std::shared_ptr<Source>& source, Proof proof = Proof::kWhenChanged);
  [[nodiscard]] Result<bool> has_same_bytes(Source& source, const FileFacts& facts, Proof proof) const;
  [[nodiscard]] Result<bool> begins_as_before(const Source& source) const;
  // Whether the bytes before its position are too few, or not distinctive enough, to prove which source it
  // is.
  [[nodiscard]] static bool needs_first_line(const Source& source) {
    return source.reader.position() < kYoungBytes || !source.reader.has_proof();
  }
  void unreadable(Source& source, const Error& error);
  // Whether a watch reports when it grows.
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
  // The offsets of the routes that are ahead of source.sent.acknowledged_offset().
  [[nodiscard]] std::vector<RouteOffset> offsets_ahead(const Source& source) const;
  // The offset up to which one route has acknowledged a source, according to the registry.
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
  // Whether some, or all, routes keep the ends of a range that is sent again.
  [[nodiscard]] bool some_keep_ranges() const;
  [[nodiscard]] bool all_keep_ranges() const;
  // Whether consumers of some route count bytes of files. They get losses, claims and heartbeats.
  [[nodiscard]] bool counts_bytes() const;
  // The route's own codec, unless that keeps ranges and the source's cuts are not known. The source is then
  // sent as records.
  [[nodiscard]] Codec codec_of(std::size_t route, const Source& source) const;
  [[nodiscard]] std::uint64_t batch_limit(const Source& source) const;
  [[nodiscard]] bool gathers(const Source& source) const;
  bool ship(const std::shared_ptr<Source>& source);
  [[nodiscard]] bool may_ship(const std::shared_ptr<Source>& source);
  // Data read from a source but not sent yet. Its lines are in `batch`.
  struct Read {
    std::uint64_t begin = 0;
    std::string tail_before;
    std::vector<std::size_t> takers;  // routes that need it
    bool uncut = false;               // one of them keeps ranges
  };
  [[nodiscard]] std::optional<Read> read_batch(const std::shared_ptr<Source>& source);
  // The end of a range that was sent before from `offset`. 0: none was.
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
  void unsend(const Flight::Staged& staged);
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
  [[nodiscard]] std::vector<RouteStatus> route_status() const;
};

}  // namespace weir
