// The encoders of shaders/bc.glsl and bc7.glsl as they stand there: whole numbers give the same blocks on every machine.
// A thread encodes a block of its own, and keeps its texels in a column of shared memory, which it shares with no other.
// Define THREADS, the threads of a block of the grid, before the #include.

typedef unsigned int uint;

__device__ __forceinline__ int clamp(int x, int least, int most) { return min(max(x, least), most); }

__shared__ uint gstex_texels[16 * THREADS];

#define GSTEX_TEXEL(at, i) gstex_texels[(at) + THREADS * (i)]
#define GSTEX_BC __device__ __forceinline__
#define GSTEX_BC_TABLE __constant__
#define GSTEX_BC_TOP_BIT(x) (31 - __clz(int(x)))

#include "bc.glsl"
#include "bc7.glsl"
