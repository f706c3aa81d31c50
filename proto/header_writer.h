// Writes the fields that every kind of message shares, and unparsed lines, which two kinds share.
#pragma once

#include <protozero/pbf_writer.hpp>

#include "proto/batch.h"

namespace weir::wire {

// Appends one UnparsedLine as field `field` of `out`.
void write_unparsed(protozero::pbf_writer& out, std::uint32_t field, const UnparsedLine& bad);
// Appends the fields of Batch that do not depend on its kind.
void write_header(protozero::pbf_writer& out, const BatchHeader& header);

}  // namespace weir::wire
