// The numbers of weir.proto, for the writer and the reader. proto/weir.proto is
// normative; a test compares golden files.
#pragma once

#include <cstdint>

namespace weir::wire {

inline constexpr std::uint32_t kMagic = 0x52494557;  // "WEIR", little endian
inline constexpr std::uint32_t kVersion = 1;
// Unix milliseconds beyond the year 280000 are nobody's log; keeps all arithmetic on times safe.
inline constexpr std::int64_t kMaxTimeMs = 1LL << 53;

enum BatchField : std::uint32_t {
  kMagicField = 1,
  kVersionField,
  kKindField,
  kSourceField,
  kBeginField,
  kEndField,
  kOriginField,
  kAgentIdField,
  kInstanceField,
  kHostField,
  kInputField,
  kPathField,
  kFieldsField,
  kSentField,
  kWatermarkField,
  kLagField,
  kLinesField,
  kColumnsBytesField,
  kColumnsField,
  kLossCauseField,
  kWindowsBytesField,
  kWindowsField,
};

enum ColumnsField : std::uint32_t {
  kStringBytesField = 1,
  kStringsField,
  kIpv4Field,
  kIpv6Field,
  kLineBytesField,
  kRecordGapField,
  kTimeDeltaField,
  kTextField,
  kNumberField,
  kExtraField,
  kUnparsedField,
  kFilteredField,
};

enum WindowsField : std::uint32_t {
  kWindowLengthField = 1,
  kWindowsUnparsedField,
  kWindowsFilteredField,
  kWindowsSampleField,
  kSiteBytesField,
  kSitesField,
  kStartDeltaField,
  kSiteField,
  kStatusField,
  kRequestsField,
  kBytesSentField,
  kFlowDifferenceField,
  kRequestBytesField,
  kRequestTimeField,
  kUpstreamTimeField,
  kBucketsField,
  kBucketDeltaField,
  kBucketCountField,
  kWindowsTooLongField,
};

}  // namespace weir::wire
