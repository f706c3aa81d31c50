// What every message and every list of unparsed lines is written with, whatever else is in it.
#pragma once

#include <protozero/pbf_writer.hpp>

#include "proto/batch.h"

namespace weir::wire {

// One UnparsedLine as field `field` of `out`.
void write_unparsed(protozero::pbf_writer& out, std::uint32_t field, const UnparsedLine& bad);
// The fields of Batch that are not lines: of every kind.
void write_header(protozero::pbf_writer& out, const BatchHeader& header);

}  // namespace weir::wire
