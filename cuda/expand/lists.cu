// The lists of the tiles of a mip, for the expanded form (docs/expanded.md): a block a tile, and of its threads each has a point
// of it. What they do is the text of gstex_expand.h, and compiled without fused operations it gives the same bits as there.

#ifdef __CUDACC_RTC__ // NVRTC has no headers
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif

// What gstex_expand.h asks for where one worker has one point.
#define GSTEX__ON_GPU
#define GSTEX__TILE_CODE static __device__
#define GSTEX__OWN_SIDE 1
#define GSTEX__WORKER int(threadIdx.x)
#define GSTEX__WORKERS int(blockDim.x)
#define GSTEX__ANY(own) __syncthreads_or(own)
#define GSTEX__MOST(own) most_of_block(own)
#define GSTEX__MEET() __syncthreads()

#define WARPS 4 // of a block, at most

// The largest number that a thread of the block has. All threads of all warps call it.
static __device__ float most_of_block(float own) {
    __shared__ float of_warps[WARPS];
    for (int step = 16; step; step >>= 1) own = fmaxf(own, __shfl_xor_sync(0xFFFFFFFFu, own, step));
    __syncthreads(); // nobody reads those of the last call any more
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = own;
    __syncthreads();
    for (int warp = 0; warp < int(blockDim.x) / 32; ++warp) own = fmaxf(own, of_warps[warp]);
    return own;
}

#define GSTEX_IMPLEMENTATION
#include "gstex_expand.h"

// tiles: a gstex__tiles in words, whose pointers are not looked at. words: of the material. places: of the records of
// each Gaussian. records: by their places. seen: memory for each block. Makes the lists first .. first + count - 1: sizes, in bytes, and the lists,
// GSTEX_LIST_BYTES apart. failed: becomes 1 if one cannot be made, and then nothing else counts; 2 if gstex__tiles is
// of another size here.
// A block has 64 threads for each grid of points.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
make_lists(const uint32_t *__restrict__ tiles, int tiles_bytes, const uint32_t *__restrict__ words, uint32_t *places,
           uint32_t *records, gstex__seen_by_tile *seen, int first, int count, int *sizes, uint8_t *bytes, volatile int *failed) {
    __shared__ gstex__tiles shared;
    if (tiles_bytes != int(sizeof(gstex__tiles))) {
        *failed = 2;
        return;
    }
    for (int i = threadIdx.x; i < tiles_bytes / 4; i += blockDim.x) reinterpret_cast<uint32_t *>(&shared)[i] = tiles[i];
    __syncthreads();
    if (threadIdx.x == 0) gstex__link_tiles(&shared, words, places, records);
    __syncthreads();

    gstex__chooser own;
    own.tiles = &shared;
    own.set = &shared.set;
    own.seen = seen + blockIdx.x;
    own.first_grid = threadIdx.x / GSTEX__TILE;
    own.first_row = threadIdx.x % GSTEX__TILE / GSTEX__SIDE;
    own.first_column = threadIdx.x % GSTEX__SIDE;
    own.first_point = threadIdx.x;
    own.grids = own.points = 1;
    for (int n = blockIdx.x; n < count && !__syncthreads_or(*failed); n += gridDim.x) {
        own.bytes = bytes + size_t(GSTEX_LIST_BYTES) * n;
        if (!gstex__choose_list(&own, first + n)) *failed = 1;
        if (threadIdx.x == 0) sizes[n] = own.byte_count;
    }
}
