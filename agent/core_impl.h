// What the parts of AgentCore share: core_files.cc (which files there are, and what they are),
// core_sources.cc (what becomes of those that are followed), core_ship.cc (reading and shipping) and
// core.cc (the outside). No other file includes it.
#pragma once

#include <cstdint>
#include <deque>
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
#include "agent/follow/identity.h"
#include "agent/follow/source.h"
#include "agent/ship/backlog_budget.h"
#include "agent/ship/line_batch.h"

namespace weir {

// How the trouble of a source begins whose file gives errors.
inline constexpr std::string_view kUnreadable = "unreadable: ";
// There is not yet much before an offset that could prove what a file is: its first line does.
inline constexpr std::uint64_t kYoungBytes = 4096;
inline constexpr std::size_t kMaxProblems = 100;

inline std::string sentence(const Error& error) {
  return error.hint.empty() ? error.what : error.what + "; " + error.hint;
}

struct AgentCore::Impl {
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  Impl(Output& to, const FileSystem& from, const Clock& time) : output(to), files(from), clock(time) {}

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
  std::deque<std::shared_ptr<Source>> live, rotated;  // fair turns in each
  // Of the rotated ones those that are compressed: one after the other, each to its end.
  std::deque<std::shared_ptr<Source>> packed;
  bool packed_next = false;
  BacklogBudget backlog;  // of what is in `rotated` and `packed`
  std::unordered_map<std::uint64_t, std::shared_ptr<InFlight>> in_flight;
  struct Held {
    Message message;
    std::shared_ptr<InFlight> entry;
  };
  std::deque<Held> held;  // the output was full
  // Batches of which the registry must know before they are sent: where those end that cannot be cut, and
  // that something of a source may be counted from now on.
  struct Staged {
    std::vector<Message> messages;
    InFlight entry;
    std::uint64_t begin = 0;
    std::string tail_before;
    bool waits = true;  // while the registry cannot be written
  };
  std::vector<Staged> staged;
  std::size_t staged_bytes = 0;
  Registry::Keep staged_keep = Registry::Keep::kUsually;
  Ship ships = Ship::kRecords;
  std::uint64_t next_message_id = 1;
  std::uint64_t in_flight_bytes = 0;
  std::size_t losses_in_flight = 0, heartbeats_in_flight = 0;
  std::int64_t loss_again_ms = 0;
  std::optional<std::int64_t> failed_ms;  // when the output last did not take a message for good
  std::int32_t partitions = 0;
  bool all_known = true;  // the last look could read every folder, and look at all that was there
  bool scanned = false, scan_wanted = true, stopping = false;
  // Whatever makes a source's registry_dirty true adds to `changes`, too.
  std::uint64_t scan_count = 0, changes = 0, flushed_changes = 0;
  // As of the last look: an idle tick then has no need to go through them.
  bool all_present = false, all_told = false;
  std::int64_t scan_took_ms = 0;
  std::int64_t last_scan_ms = 0, last_heartbeat_ms = 0, last_flush_ms = 0, stop_asked_ms = 0,
               last_poll_ms = 0, last_crowded_ms = 0;
  std::map<std::string, std::int64_t> said_ms;  // at most kMaxProblems and two
  AgentStatus totals;
  std::vector<PlanLine>* planned = nullptr;

  [[nodiscard]] std::int64_t now() const { return clock.steady_ms(); }
  // Of `config`: a parser holds nothing of a line before, unless it reads directives.
  std::map<const InputConfig*, std::shared_ptr<LineParser>> parsers;
  Result<std::shared_ptr<LineParser>> parser_for(const InputConfig& input);

  void scan();
  [[nodiscard]] std::int64_t scan_pause_ms(bool wanted) const;
  struct Found {
    std::string path;
    const InputConfig* input;
  };
  [[nodiscard]] std::vector<Found> find_files();
  void index_paths();
  // `seen`: what the path led to when the look began.
  void look_at(const std::string& path, const InputConfig& input, const FileFacts& seen);
  void open_source(const std::string& path, const InputConfig& input, std::shared_ptr<Content> content,
                   const FileFacts& facts);
  [[nodiscard]] Result<Identity> who_is(const Sighting& sighting);
  [[nodiscard]] Result<std::uint64_t> end_to_start_at(Content& content, std::uint64_t size_bytes) const;
  void renamed(const std::shared_ptr<Source>& source, const std::string& path);
  void reopen(const std::string& path, Source& source);
  void take_over(const std::shared_ptr<Source>& source, const std::string& path,
                 std::shared_ptr<Content> content, const FileFacts& facts);
  void problem(const std::string& key, std::string what);

  void add(const std::shared_ptr<Source>& source);
  void remove(const std::shared_ptr<Source>& source);
  void unindex(const std::shared_ptr<Source>& source);
  void leave(const std::shared_ptr<Source>& source);
  void drop_living(const SourceId& id);
  void mark(const std::shared_ptr<Source>& source);
  void enqueue(const std::shared_ptr<Source>& source);
  void sort_lanes();
  [[nodiscard]] bool has_successor(const Source& source) const;
  enum class Proof { kWhenChanged, kAlways };
  bool look_at_size(const std::shared_ptr<Source>& source, Proof proof = Proof::kWhenChanged);
  [[nodiscard]] Result<bool> begins_as_before(const Source& source) const;
  // There are few bytes before its offset that could prove what it is, or none that tell.
  [[nodiscard]] static bool needs_first_line(const Source& source) {
    return source.reader.position() < kYoungBytes || !source.reader.has_proof();
  }
  void unreadable(Source& source, const Error& error);
  // Its growth is told by a watch.
  [[nodiscard]] bool told(const Source& source) const {
    return source.present && source.folder && watched.contains(*source.folder);
  }
  void note_present_and_told();
  void poll_sizes();
  void close_finished();
  void settle_leaving();
  void lose(const Source& source, ByteRange range, LossCause cause);
  void give_up(const std::shared_ptr<Source>& source, LossCause cause);
  void give_up_unreadable();
  void release_under_pressure();
  void note_missing();
  void forget_old();

  bool pump();
  // What is left of a round: each that waited when it began has one turn.
  struct Turns {
    std::size_t live = 0, rotated = 0;
    bool live_has_more = false, rotated_has_more = false;  // than a turn took
    [[nodiscard]] bool contended() const { return live > 0 || live_has_more; }
  };
  enum class Lane { kNone, kLive, kRotated };
  [[nodiscard]] Lane next_lane(const Turns& turns);
  bool take_turn(Lane lane, Turns& turns);
  [[nodiscard]] std::deque<std::shared_ptr<Source>>& queue_of(Lane lane);
  [[nodiscard]] std::uint64_t batch_limit(const Source& source) const;
  [[nodiscard]] bool gathers(const Source& source) const;
  bool ship(const std::shared_ptr<Source>& source);
  [[nodiscard]] Result<std::vector<Message>> messages_of(const Source& source, BatchHeader header);
  void note_read(const InFlight& entry);
  void stage(Staged waiting, Registry::Keep keep);
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

}  // namespace weir
