// Creates the tables of tables.h and migrates those of older versions.
#pragma once

#include "aggregator/store/sql_connection.h"
#include "proto/result.h"

namespace weir {

// Any number of programs may call it at once.
// Errors: those of SqlConnection; kInvalid for the schema of a newer weir, which is left unchanged.
[[nodiscard]] Result<void> migrate_schema(SqlConnection& db);

}  // namespace weir
