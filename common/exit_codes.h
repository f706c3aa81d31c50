// Exit codes of both programs, for scripts to branch on. docs/reference/errors.md explains each to operators.
#pragma once

#include "proto/result.h"

namespace weir {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,        // any failure without its own code
  kExitUsage = 2,         // wrong arguments
  kExitInput = 3,         // a log, a file or a message cannot be read
  kExitConfig = 4,        // the configuration has mistakes
  kExitLocked = 5,        // another agent holds the state_dir
  kExitListen = 6,        // the address to listen on is in use or not an address of this machine
  kExitStore = 7,         // the store cannot be opened, or refuses the password
  kExitSchemaTooNew = 8,  // the store was written by a newer weir
  kExitKafka = 9,         // a broker or topic does not answer or does not exist
  kExitNotWhole = 10,     // `audit`: bytes are missing or not settled yet
  kExitNotDrained = 11,   // not everything in a file is acknowledged yet
  kExitNoLineFits = 12,   // `parse`: lines were read, but none fits the format
};

// The same list for --help and the man pages.
inline constexpr const char* kExitCodesText =
    "Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 a log or a message cannot be read, 4 mistakes in the "
    "configuration, 5 another agent holds the state_dir, 6 cannot listen on the address, 7 the store cannot "
    "be "
    "opened, 8 the store was written by a newer weir, 9 no broker or no topic, 10 the audit found missing "
    "bytes, "
    "11 not everything is shipped yet, 12 no line fits the format.";

// Prints "weir-agent: WHAT\n  HINT\n" to stderr, with control characters made visible.
void print_error(const char* program, const Error& error);

}  // namespace weir
