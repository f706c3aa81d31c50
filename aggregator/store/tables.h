// The tables of schema version 3, column by column. CREATE, SELECT and INSERT are built from these lists
// (sql_text.h), in their order. docs/reference/store.md describes each column.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weir {

enum class ColumnType : std::uint8_t {
  kNumber,
  kKey,   // bytes, at most 255: names and parts of primary keys
  kText,  // bytes
};

struct Column {
  std::string_view name;
  ColumnType type = ColumnType::kNumber;
  bool in_key = false;  // part of the primary key, whose columns follow the order of the list
};

struct Table {
  std::string_view name;
  std::span<const Column> columns;
  bool clustered = false;  // rows are stored in primary-key order, in the tree of that key
};

namespace tables {

inline constexpr auto kNumber = ColumnType::kNumber;
inline constexpr auto kKey = ColumnType::kKey;
inline constexpr auto kText = ColumnType::kText;

inline constexpr Column kMetaColumns[] = {{"name", kKey, true}, {"value", kNumber}};
inline constexpr Table kMeta{"meta", kMetaColumns};

inline constexpr Column kPartitionColumns[] = {
    {"topic", kKey, true}, {"partition_id", kNumber, true}, {"owner", kKey},
    {"epoch", kNumber},    {"next_offset", kNumber},        {"commit_token", kNumber},
    {"cluster_id", kKey},  {"leader_epoch", kNumber},       {"dead_letters", kNumber}};
inline constexpr Table kPartition{"partition_state", kPartitionColumns};

inline constexpr Column kWindowColumns[] = {
    {"start_s", kNumber, true}, {"site", kKey, true},         {"host", kKey, true},
    {"status", kNumber, true},  {"topic", kKey, true},        {"partition_id", kNumber, true},
    {"requests", kNumber},      {"bytes_sent", kNumber},      {"flow_bytes", kNumber},
    {"request_bytes", kNumber}, {"request_time_ms", kNumber}, {"upstream_time_ms", kNumber},
    {"latency", kText}};
inline constexpr Table kWindow{"window_traffic", kWindowColumns, true};

inline constexpr Column kSourceColumns[] = {
    {"id", kKey, true},         {"agent_id", kKey},        {"instance", kNumber}, {"host", kKey},
    {"input", kText},           {"path", kText},           {"origin", kNumber},   {"high_water", kNumber},
    {"line_count", kNumber},    {"unparsed", kNumber},     {"too_long", kNumber}, {"filtered", kNumber},
    {"first_seen_ms", kNumber}, {"last_seen_ms", kNumber}, {"version", kNumber}};
inline constexpr Table kSource{"source", kSourceColumns};

inline constexpr Column kGapColumns[] = {{"source_id", kKey, true},
                                         {"begin_offset", kNumber, true},
                                         {"end_offset", kNumber},
                                         {"cause", kNumber},
                                         {"since_ms", kNumber}};
inline constexpr Table kGap{"source_gap", kGapColumns};

inline constexpr Column kDeadLetterColumns[] = {{"topic", kKey, true},
                                                {"partition_id", kNumber, true},
                                                {"message_offset", kNumber, true},
                                                {"line", kNumber, true},
                                                {"kind", kNumber},
                                                {"source", kKey},
                                                {"reason", kText},
                                                {"sample", kText},
                                                {"seen_ms", kNumber}};
inline constexpr Table kDeadLetter{"dead_letter", kDeadLetterColumns};

inline constexpr Column kAgentColumns[] = {{"agent_id", kKey, true},  {"host", kKey},
                                           {"instance", kNumber},     {"last_heartbeat_ms", kNumber},
                                           {"watermark_ms", kNumber}, {"lag_bytes", kNumber}};
inline constexpr Table kAgent{"agent", kAgentColumns};

inline constexpr Column kSiteColumns[] = {{"name", kKey, true}};
inline constexpr Table kSite{"site", kSiteColumns};

// Each host of window_traffic, so that listing them does not read that table.
inline constexpr Column kHostColumns[] = {{"name", kKey, true}};
inline constexpr Table kHost{"host", kHostColumns};

inline constexpr Column kAlertColumns[] = {{"rule_name", kKey, true},
                                           {"subject", kKey, true},
                                           {"state", kKey},
                                           {"since_s", kNumber},
                                           {"value_text", kKey}};
inline constexpr Table kAlert{"alert", kAlertColumns};

inline constexpr Column kAlertHistoryColumns[] = {
    {"at_s", kNumber, true}, {"id", kNumber, true}, {"rule_name", kKey}, {"subject", kKey},
    {"state", kKey},         {"value_text", kKey},  {"severity", kKey},  {"description", kText}};
inline constexpr Table kAlertHistory{"alert_history", kAlertHistoryColumns, true};

inline constexpr Column kOutboxColumns[] = {
    {"id", kNumber, true},   {"channel", kKey},        {"address", kText},    {"payload", kText},
    {"created_ms", kNumber}, {"next_try_ms", kNumber}, {"attempts", kNumber}, {"last_error", kText}};
inline constexpr Table kOutbox{"outbox", kOutboxColumns};

inline constexpr Column kLeaseColumns[] = {{"name", kKey, true}, {"owner", kKey}, {"until_ms", kNumber}};
inline constexpr Table kLease{"lease", kLeaseColumns};

inline constexpr const Table* kAll[] = {&kMeta,         &kPartition, &kWindow, &kSource, &kGap,
                                        &kDeadLetter,   &kAgent,     &kSite,   &kHost,   &kAlert,
                                        &kAlertHistory, &kOutbox,    &kLease};

}  // namespace tables
}  // namespace weir
