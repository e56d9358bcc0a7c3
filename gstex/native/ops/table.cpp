// The table of the kernels of one instruction set.

#include "ops.h"

namespace gstex {
namespace GSTEX_SET {

extern const Ops OPS;
const Ops OPS = {
#define GSTEX_OP(NAME, ARGUMENT) &NAME,
    GSTEX_FOR_EACH_OP(GSTEX_OP)
#undef GSTEX_OP
};

} // namespace GSTEX_SET
} // namespace gstex
