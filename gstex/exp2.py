"""exp2 for float32 that LLVM can vectorise.

`math.exp2` is a call into libm, one texel at a time. Here the exponent is made of bits and the fraction in
-0.5 .. 0.5 goes through a degree-5 polynomial, all inline.

numba's disk cache does not see edits of this file in the kernels that inline it: delete __pycache__ after one.
"""

import struct

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# Fitted for least maximum relative error on -0.5 .. 0.5 (7.5e-8 before float32 rounding), lowest power first.
_COEFFICIENTS = (1.0000000716553017, 0.6931469670628831, 0.24022119720750035,
                 0.055507132750675196, 0.009675541502703416, 0.0013276471959222727)  # fmt: skip


def _const(value: float) -> ir.Constant:
    """A float constant that is exact in float32, as LLVM requires."""
    return ir.Constant(ir.FloatType(), struct.unpack("f", struct.pack("f", value))[0])


@intrinsic
def exp2_f32(typingctx, x):
    """2^x for a float32 x below 127. Below -126 the result is 2^-126, which the background term outweighs."""
    if x != types.float32:
        return None

    def codegen(context, builder, signature, args):
        f32, i32 = ir.FloatType(), ir.IntType(32)
        value = args[0]
        value = builder.select(builder.fcmp_ordered(">", value, _const(-126.0)), value, _const(-126.0))
        # + 127 is the exponent's bias; + 0.5 makes the truncation of a positive number a rounding.
        biased = builder.fptosi(builder.fadd(value, _const(127.5)), i32)
        whole = builder.sitofp(builder.sub(biased, ir.Constant(i32, 127)), f32)
        fraction = builder.fsub(value, whole)
        polynomial = _const(_COEFFICIENTS[-1])
        for coefficient in _COEFFICIENTS[-2::-1]:
            product = builder.fmul(polynomial, fraction, flags=("contract",))
            polynomial = builder.fadd(product, _const(coefficient), flags=("contract",))
        power = builder.bitcast(builder.shl(biased, ir.Constant(i32, 23)), f32)
        return builder.fmul(polynomial, power)

    return types.float32(types.float32), codegen
