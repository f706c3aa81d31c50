// The rows of the registry's tables.
#pragma once

#include <vector>

#include "agent/tail/registry.h"
#include "agent/tail/registry_database.h"

namespace weir {

// Errors of all functions: those of RegistryDatabase.
[[nodiscard]] Result<std::vector<RegistryEntry>> read_entries(RegistryDatabase& database);
[[nodiscard]] Result<std::vector<Loss>> read_losses(RegistryDatabase& database);
// Call it inside a transaction.
[[nodiscard]] Result<void> put_entries(RegistryDatabase& database,
                                       const std::vector<const RegistryEntry*>& entries);
[[nodiscard]] Result<void> remove_entries(RegistryDatabase& database, const std::vector<SourceId>& ids);
[[nodiscard]] Result<void> replace_losses(RegistryDatabase& database, const std::vector<Loss>& losses);

}  // namespace weir
