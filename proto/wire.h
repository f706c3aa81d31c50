// The numbers of weir.proto for the writer and the reader. proto/weir.proto is normative; a test compares
// golden files.
#pragma once

#include <cstdint>

namespace weir::wire {

inline constexpr std::uint32_t kMagic = 0x52494557;  // "WEIR", little endian
inline constexpr std::uint32_t kVersion = 2;
// No log has times beyond the year 280000. The bound keeps all arithmetic on Unix milliseconds from
// overflowing.
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
  kRecordsField = 1,
  kLineBytesField,
  kRecordGapField,
  kFirstTimeField,
  kTimeDeltaField,
  kTextField,
  kNumberField,
  kExtraField,
  kUnparsedField,
  kFilteredField,
};

enum TextColumnField : std::uint32_t {
  kTextFieldField = 1,
  kTextNameField,
  kTextSameAsField,
  kTextCellField,
  kTextStringsField,
  kTextStringCodeField,
  kTextStringBytesField,
};

enum NumberColumnField : std::uint32_t {
  kNumberFieldField = 1,
  kNumberCellField,
  kNumberNearField,
};

// Codes of strings. A text of n bytes has the code n + kTextCode.
inline constexpr std::uint32_t kIpv4Code = 0, kIpv6Code = 1, kTextCode = 2;
// Cells of text columns. A string k that occurred before has the cell k + kSeenCell.
inline constexpr std::uint32_t kAbsentCell = 0, kNewCell = 1, kSeenCell = 2;

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
