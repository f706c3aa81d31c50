// Moved to common/.
#pragma once

#include "common/text.h"
