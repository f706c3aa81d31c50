// Moved to common/.
#pragma once

#include "common/json_text.h"
#include "common/text.h"
