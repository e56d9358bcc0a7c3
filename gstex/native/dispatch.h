// Which instruction set the kernels run with: the best that this CPU has, or one that a test asks for.

#pragma once

#include "ops/ops.h"

namespace gstex {

// The kernels in use.
const Ops &ops();

// Names of the sets that were compiled and that this CPU has, the best last; `count` of them, none on a CPU that is too
// old.
const char *const *instruction_sets(int *count);
const char *instruction_set();

// False if there is no such set here.
bool use_instruction_set(const char *name);

} // namespace gstex
