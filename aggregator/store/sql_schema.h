// The tables, as docs/reference/store.md has them, and how older ones become them.
#pragma once

#include "aggregator/store/sql_connection.h"
#include "proto/result.h"

namespace weir {

// Makes what is missing and brings older versions forward; any number of programs may call it at once.
// Errors: those of SqlConnection; kInvalid for a schema of a newer weir, of which nothing is changed.
[[nodiscard]] Result<void> migrate_schema(SqlConnection& db);

}  // namespace weir
