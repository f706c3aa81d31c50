// Creates the tables of tables.h, and brings those of older versions forward.
#pragma once

#include "aggregator/store/sql_connection.h"
#include "proto/result.h"

namespace weir {

// Any number of programs may call it at once.
// Errors: those of SqlConnection; kInvalid for a schema of a newer weir, which is left as it is.
[[nodiscard]] Result<void> migrate_schema(SqlConnection& db);

}  // namespace weir
