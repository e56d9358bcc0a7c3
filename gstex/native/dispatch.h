// Which instruction set the kernels run with: the best that this CPU has, or one that a test asks for.

#pragma once

#include "ops/ops.h"

namespace gstex {

// The kernels in use.
const Ops &ops();

// Names of the compiled sets that this CPU supports, the best last. `count`: their number, 0 on a CPU that is too old.
const char *const *instruction_sets(int *count);
const char *instruction_set();

// Returns false if this CPU or build has no such set.
bool use_instruction_set(const char *name);

} // namespace gstex
