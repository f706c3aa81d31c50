// One request parsed from a log line, or the reason why a line has none. A Record consists of views and owns
// nothing.
//
// Lifetime: every view points into the line or into the parser's scratch memory, and is valid until that
// parser parses its next line.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace weir {

// The columns whose meaning weir knows. The values are the wire's numbers: append only, never renumber
// (proto/weir.proto).
enum class Text : std::uint8_t {
  kClientAddress = 0,  // resolved through trusted_proxies; otherwise the peer
  kPeerAddress,        // the TCP peer's address as the server logged it
  kRemoteUser,
  kMethod,
  kPath,      // without the query
  kQuery,     // without '?'
  kProtocol,  // "HTTP/1.1"
  kRequest,   // the whole $request, only when it could not be split
  kHost,      // $host, $http_host
  kServerName,
  kScheme,
  kReferrer,
  kUserAgent,
  kForwardedFor,
  kRealIpHeader,
  kUpstreamAddress,   // the list as logged: "10.0.0.1:80, 10.0.0.2:80"
  kUpstreamStatuses,  // the list as logged
  kUpstreamTimes,     // the list as logged
  kUpstreamCacheStatus,
  kTlsProtocol,
  kTlsCipher,
  kRequestId,
  kCount,
};

enum class Number : std::uint8_t {
  kStatus = 0,
  kBytesSent,      // on the wire, including headers ($bytes_sent)
  kBodyBytesSent,  // $body_bytes_sent
  kRequestBytes,   // $request_length
  kRequestTimeMs,
  kUpstreamTimeMs,  // summed over the upstreams tried
  kUpstreamConnectTimeMs,
  kUpstreamHeaderTimeMs,
  kUpstreamStatus,  // of the last upstream tried
  kConnection,
  kConnectionRequests,
  kPipe,  // 1 = pipelined
  kCount,
};

inline constexpr std::size_t kTextCount = static_cast<std::size_t>(Text::kCount);
inline constexpr std::size_t kNumberCount = static_cast<std::size_t>(Number::kCount);
static_assert(kTextCount <= 32 && kNumberCount <= 32, "Record has a bit for each");
inline constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::min();

struct Record {
  std::int64_t time_ms = kNoTime;  // end of the request, Unix time in UTC
  // A logged "-" counts as absent. Use get() and set(): an absent field keeps the value of an earlier line,
  // because clearing only the bits makes a line cost what it contains, not what it could contain.
  std::array<std::string_view, kTextCount> text{};
  std::array<std::uint64_t, kNumberCount> number{};
  std::uint32_t text_present = 0;    // bit i: text[i] is set
  std::uint32_t number_present = 0;  // bit i: number[i] is set
  // Variables without a column, in the order of the parser's extra_names(). Absent ones have data() ==
  // nullptr.
  std::span<const std::string_view> extra{};

  [[nodiscard]] bool has(Text field) const { return (text_present >> static_cast<unsigned>(field)) & 1U; }
  // Returns a view with data() == nullptr when absent.
  [[nodiscard]] std::string_view get(Text field) const {
    return has(field) ? text[static_cast<std::size_t>(field)] : std::string_view{};
  }
  void set(Text field, std::string_view value) {
    text[static_cast<std::size_t>(field)] = value;
    const auto bit = 1U << static_cast<unsigned>(field);
    text_present = value.data() != nullptr ? text_present | bit : text_present & ~bit;
  }
  [[nodiscard]] bool has(Number field) const { return (number_present >> static_cast<unsigned>(field)) & 1U; }
  [[nodiscard]] std::uint64_t get(Number field) const { return number[static_cast<std::size_t>(field)]; }
  void set(Number field, std::uint64_t value) {
    number[static_cast<std::size_t>(field)] = value;
    number_present |= 1U << static_cast<unsigned>(field);
  }
  void clear() {
    time_ms = kNoTime;
    text_present = number_present = 0;
    extra = {};
  }
};

// Why a line has no record. The values are used on the wire: append only.
enum class Unparsed : std::uint8_t {
  kNoMatch = 0,  // the line does not fit the format
  kBadTime = 1,  // the time is missing or cannot be read
  kTooLong = 2,  // longer than max_line; cut
  kBinary = 3,   // contains NUL bytes
};
[[nodiscard]] std::string_view to_string(Unparsed reason);

struct UnparsedLine {
  std::uint32_t line = 0;  // index in the batch
  Unparsed reason = Unparsed::kNoMatch;
  // The first kUnparsedSampleBytes of the line; empty after the first kUnparsedSamples of a batch.
  std::string text;
  friend bool operator==(const UnparsedLine&, const UnparsedLine&) = default;
};
inline constexpr std::size_t kUnparsedSamples = 8;
inline constexpr std::size_t kUnparsedSampleBytes = 512;

// Names of the Elastic Common Schema, or "nginx.*" where it has none. `weir-agent parse` and the json codec
// print them.
[[nodiscard]] std::string_view ecs_name(Text field);
[[nodiscard]] std::string_view ecs_name(Number field);

// Number fields in milliseconds. JSON prints them as seconds with three decimals, as nginx does.
[[nodiscard]] constexpr bool is_milliseconds(Number field) {
  return field == Number::kRequestTimeMs || field == Number::kUpstreamTimeMs ||
         field == Number::kUpstreamConnectTimeMs || field == Number::kUpstreamHeaderTimeMs;
}

}  // namespace weir
