// gstex.h: reads, checks, decodes and samples .gstex files, in C99 and C++. docs/format.md is what it follows,
// docs/decoder-c.md shows it at work. It is one file, however long, because engines take it along as one.
//
// In one source file:
//
//     #define GSTEX_IMPLEMENTATION
//     #include "gstex.h"
//
// Wherever it is used:
//
//     gstex_material material; gstex_error error; float values[GSTEX_MAX_CHANNELS];
//     size_t need = gstex_file_scratch_words(data, bytes);                          // a file in memory
//     if (!gstex_load(data, bytes, scratch, need, &material, &error)) ...           // checks all of it
//     base = gstex_add_to_pool(&pool, &material);                                   // its place in a buffer of many
//     gstex_write_words(&material, words + base);                                   // for shaders/gstex.glsl
//     gstex_find_channels(&material, GSTEX_VEC4S, &channels);                       // which channels hold which map
//     gstex_sample_lod(&material, u, v, lod, GSTEX_AS_FITTED, values);              // as a texture unit would
//     gstex_decode_rect(&material, mip, 0, 0, width, height, &layout, texels, 4 * width);   // RGBA8, floats or halves
//
// The parts, in this order: errors, reading a file, the material, uploading it, its channels, decoding, sampling.
//
// What holds for all of it:
//   - It allocates nothing, opens nothing and has no state: functions may run in any number of threads.
//   - Files may be hostile. gstex_load (gstex_read and gstex_validate in one) takes any bytes, in time linear in their
//     number. After it no call reads outside the words, and the work for a texel is bounded by material.candidates_max
//     (at most 4096).
//   - Machines are little-endian, as files are, and `words` is aligned to 4 bytes.
//   - Values are float32, computed as written here, with functions that round exactly and polynomials: they are the same
//     bits on every CPU if the compiler neither reorders nor fuses operations (-ffp-contract=off, no -ffast-math).
//   - Texel (x, y) is column x, row y; row 0 is the top. (u, v) = (0, 0) is the top left corner of the texture, (1, 1)
//     the opposite one; beyond them a texture repeats or is clamped, as its file says.
//
// Macros, to be defined before the file is included: GSTEX_IMPLEMENTATION, see above; GSTEX_STATIC makes all functions
// static, for one source file that keeps them to itself. Of C it needs stddef.h, stdint.h, and floor, ceil, sqrt and
// sqrtf of math.h; gstex_expand.h needs floorf.
//
// MIT licence, as the rest of gstex.

#ifndef GSTEX_H
#define GSTEX_H

#ifndef GSTEX__ON_GPU // a source of cuda/ that takes functions from here
#include <stddef.h>
#include <stdint.h>
#endif

// ---- constants: written by tools/write_headers.py ----
#define GSTEX_VERSION 2
#define GSTEX_MAGIC 1297371975
#define GSTEX_FILE_HEADER_BYTES 256
#define GSTEX_MAX_JSON_BYTES 1048576
#define GSTEX_ALIGN_WORDS 64
#define GSTEX_HEADER_FIXED_WORDS 8
#define GSTEX_LEVEL_ENTRY_WORDS 7
#define GSTEX_CHANNEL_ENTRY_WORDS 1
#define GSTEX_GROUP_FIXED_WORDS 6
#define GSTEX_CONSTANT_GROUP 7
#define GSTEX_MAX_GROUPS 4
#define GSTEX_RAW_BIT 256
#define GSTEX_SHARED_BIT 512
#define GSTEX_MAX_SIZE 16384
#define GSTEX_MAX_MIPS 15
#define GSTEX_MAX_CHANNELS 16
#define GSTEX_MAX_CHANNEL_BITS 12
#define GSTEX_MAX_PALETTES 4
#define GSTEX_MAX_PALETTE_BITS 12
#define GSTEX_MAX_LEVELS 16
#define GSTEX_MAX_CELLS 8192
#define GSTEX_GROUP_CELLS 16
#define GSTEX_MAX_CELL_GROUP 65535
#define GSTEX_MIN_STRIDE 4
#define GSTEX_MAX_STRIDE 320
#define GSTEX_MAX_FIELD_BITS 12
#define GSTEX_MAX_AMPLITUDE_STEP 8
#define GSTEX_MAX_SCALE_STEP 4
#define GSTEX_MAX_TOP_K 32
#define GSTEX_MAX_CANDIDATES 4096
#define GSTEX_MAX_STOPS 32
#define GSTEX_LEAST_LOG_AMPLITUDE (-16)
#define GSTEX_MOST_LOG_AMPLITUDE 8
#define GSTEX_LEAST_LOG_SCALE (-16)
#define GSTEX_MOST_LOG_SCALE 8
#define GSTEX_LEAST_CHANNEL (-1)
#define GSTEX_MOST_CHANNEL 2
#define GSTEX_BACKGROUND_WEIGHT 2.0611537e-09f
#define GSTEX_FADE_SLOPE 2.0f
#define GSTEX_TAN_22_5 0.41421357f
#define GSTEX_LOG2E 1.442695f
#define GSTEX_UNIT 0.8493218f
#define GSTEX_MAX_TAPS 8
#define GSTEX_TAP_SLACK 0.015625f
#define GSTEX_BEND_UNIT 0.0009765625f
// ---- end of constants ----

#ifdef GSTEX_STATIC
#define GSTEX_API static inline
#else
#define GSTEX_API extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

#ifndef GSTEX__ON_GPU

// ==== Errors ========================================================================================================

// The rules of docs/format.md, each with what is said about a file that breaks it. In a text %d stands for `found`, %f
// for the same of a number with decimals, %x and %X for the same in hexadecimal, %l and %h for `lo` and `hi`, %e for `lo`
// with decimals, %L for `lo` in hexadecimal, %i for `item`, and %m for the bytes of a magic.
#define GSTEX_RULES(X)                                                                                                  \
    X(FILE_MAGIC, "file magic: got %m, expected 89 47 53 54 45 58 0d 0a")                                               \
    X(FILE_SIZE, "file size: got %d bytes, expected at least the %l bytes of the header")                               \
    X(NEWER_VERSION, "version: got %d, this gstex reads versions up to %h; update gstex")                               \
    X(OLDER_VERSION, "version: got %d, expected %h; versions before it were in no release: compress the material again") \
    X(FLAGS, "flags: got %d, expected 0")                                                                               \
    X(FILE_BYTES, "file_bytes: got %d, expected %l, the size of the file")                                              \
    X(GPU_OFFSET, "gpu_offset: got %d, expected %l")                                                                    \
    X(GPU_BYTES, "gpu_bytes: got %d, expected a positive multiple of %l")                                               \
    X(JSON_OFFSET, "json_offset: got %d, expected %l, right after the GPU section")                                     \
    X(JSON_BYTES, "json_bytes: got %d, expected %l .. %h")                                                              \
    X(JSON_END, "json_bytes: got %d, expected %l, what is left of the file")                                            \
    X(RESIDENT_BYTES, "resident_bytes: got %d, expected a positive multiple of %l, at most the %h of gpu_bytes")        \
    X(FILE_PADDING, "padding of the file header: got bytes that are set, expected zeros")                               \
    X(GPU_CRC, "gpu_crc: got %X, expected %L, the CRC-32 of the section")                                               \
    X(RESIDENT_CRC, "resident_crc: got %X, expected %L, the CRC-32 of the resident part")                               \
    X(RESIDENT_OF_WORDS, "resident_bytes: got %d, expected %l, 4 resident_words of the GPU section")                    \
    X(JSON_CRC, "json_crc: got %X, expected %L, the CRC-32 of the section")                                             \
    X(ALIGNMENT, "data: got an address that is no multiple of 4, expected one: copy the file to such a place")          \
    X(SCRATCH, "scratch: got %d words, expected at least %l, as gstex_scratch_words says")                              \
    X(SECTION_WORDS, "GPU section: got %d words, expected a positive multiple of %l, below 2^30")                       \
    X(MATERIAL_MAGIC, "GPU section magic: got %X, expected %L")                                                         \
    X(CHANNEL_COUNT, "channel_count: got %d, expected %l .. %h")                                                        \
    X(MIP_COUNT, "mip_count: got %d, expected %l .. %h")                                                                \
    X(HEADER_WORDS, "header_words: got %d, expected %l")                                                                \
    X(RESERVED_OF_3, "reserved bits of word 3: got %d, expected 0")                                                     \
    X(RESERVED_OF_HEADER, "reserved words 6 and 7: got %x, expected 0")                                                 \
    X(GROUP_COUNT, "group_count: got %d, expected %l .. %h")                                                            \
    X(TAIL, "tail: got %d, expected %l .. %h")                                                                          \
    X(TAIL_OF_NOTHING, "tail: got %d, expected %l, mip_count: all channels of this material are constant")              \
    X(FIRST_MIP, "first_mip: got %d, expected 0 in a file")                                                             \
    X(WORDS, "words: got %d, expected %l .. %h in a section of %i words")                                               \
    X(RESIDENT_WORDS, "resident_words: got %d, expected a multiple of 64 in %l .. %h")                                  \
    X(RESIDENT_ALL, "resident_words: got %d, expected %l, the whole section, because there is no tail")                 \
    X(RESIDENT_END, "resident_words: got %d, expected %l, where the tail and its guard word end")                       \
    X(PADDING, "padding after the used words: got bits that are set, expected zeros")                                   \
    X(ROLE, "role[%i]: got %d, expected %l .. %h")                                                                      \
    X(COMPONENT, "component[%i]: got %d, expected %l .. %h")                                                            \
    X(RESERVED_OF_CHANNEL, "reserved bits of channel entry %i: got %x, expected 0")                                     \
    X(GROUP, "group[%i]: got %d, expected a number below %h, or %l for a constant channel")                             \
    X(FLIPPED, "flipped[%i]: got 1, expected 0: only Y of a normal points up or down")                                  \
    X(CURVE, "curve[%i]: got %d, expected 0 or 1")                                                                      \
    X(CURVE_RANGED, "curve[%i]: got 1, expected 0: only a channel with scale and bias has a curve")                     \
    X(CONSTANT, "constant[%i]: got %f, expected %l .. %h")                                                              \
    X(NUMBERS, "numbers[%i]: got %d, expected %l, the place of the channel's numbers, or 0 if it has none")             \
    X(SCALE, "scale[%i]: got %f, expected a finite number other than 0")                                                \
    X(BIAS, "bias[%i]: got %f, expected a finite number")                                                               \
    X(STOPS, "stops[%i]: got %f, expected a number above 0, at most %h")                                               \
    X(RANGED, "ranged[%i]: got 1, expected 0: scale and bias are 1 and 0, what they are without it")                    \
    X(GROUP_OFFSET, "group_offset[%i]: got %d, expected %l, right after the part before")                               \
    X(GROUP_ROOM, "group header: got %d words, expected at most the %h words left before the guard word")               \
    X(MEMBERS, "members: got %x, expected %L, the channels whose entries name this group")                              \
    X(NO_MEMBERS, "members: got 0, expected at least one channel: leave out groups without channels")                   \
    X(RESERVED_OF_GROUP, "reserved bits of the group header: got %x, expected 0")                                       \
    X(PALETTE_GAP, "palette_bits[%i]: got %d, expected 0, because palette %l is not there")                             \
    X(PALETTE_OFFSET, "palette_offset: got %d, expected %l, right after the header")                                    \
    X(NO_PALETTE_OFFSET, "palette_offset: got %d, expected 0, because there are no palettes")                           \
    X(UNUSED_NIBBLES, "unused nibbles of channel_bits: got bits that are set, expected zeros")                          \
    X(WIDTH, "width: got %d, expected %l .. %h")                                                                        \
    X(HEIGHT, "height: got %d, expected %l .. %h")                                                                      \
    X(TOP_K, "top_k: got %d, expected %l .. %h")                                                                        \
    X(AMPLITUDE_LO, "amplitude_lo: got %f, expected %l .. %h")                                                          \
    X(AMPLITUDE_STEP, "amplitude_step: got %f, expected %l .. %h")                                                      \
    X(CHANNEL_LO, "channel_lo[%i]: got %f, expected %l .. %h")                                                          \
    X(CHANNEL_STEP, "channel_step[%i]: got %f, expected %l .. %h")                                                      \
    X(CHANNEL_BITS, "channel_bits[%i]: got %d, expected %l .. %h")                                                      \
    X(NO_BITS, "channel_bits[%i]: got %d, expected 1 .. %h: there are no palettes")                                     \
    X(PALETTE_BITS, "palette_bits[%i]: got %d, expected %l .. %h")                                                      \
    X(CANDIDATES_LIMIT, "candidates_max of all groups: got %d, expected at most %h; use finer cells or fewer Gaussians")\
    X(PALETTES_ROOM, "palettes: got %d words, expected at most the %h words left before the guard word")                \
    X(PALETTES_SPARE, "spare bytes of the palettes: got bits that are set, expected zeros")                             \
    X(MIP_OFFSET, "mip_offset[%i]: got %d, expected %l, right after the part before")                                   \
    X(TAIL_OFFSET, "tail_offset[%i]: got %d, expected %l, right after the part before")                                 \
    X(TAIL_SHARED, "mip_offset[%i]: got %d, expected %l, tail_offset, or the place of a shared mip")                    \
    X(BLOCK_ROOM, "block: got %d words, expected at most the %h words left before the guard word")                      \
    X(RESERVED_OF_BLOCK, "reserved bits of word 0: got %d, expected 0")                                                 \
    X(SHARED_WORD, "word 0: got %x, expected %L: shared and nothing else")                                              \
    X(SHARED_FIRST, "shared: got 1, expected 0: only mips below a mip 0 of Gaussians share them, and none in the tail") \
    X(FILTER, "filter: got %f, expected %l .. %h")                                                                      \
    X(BEND, "bend[%i]: got %x, expected zeros in bits 30 and 31")                                                       \
    X(RAW_LEVELS, "level_count: got %d, expected 0 in a raw mip")                                                       \
    X(RAW_GAUSSIANS, "gaussian_count: got %d, expected 0 in a raw mip")                                                 \
    X(TEXELS_ROOM, "texels: got %d words, expected at most the %h words left before the guard word")                    \
    X(TEXELS_SPARE, "spare bytes of the texels: got bits that are set, expected zeros")                                 \
    X(LEVEL_COUNT, "level_count: got %d, expected %l .. %h")                                                            \
    X(BACKGROUND, "background[%i]: got %f, expected %l .. %h")                                                          \
    X(RESERVED_OF_LEVEL, "reserved bits of the field widths: got %d, expected 0")                                       \
    X(CELLS_X, "cells_x: got %d, expected %l .. %h")                                                                    \
    X(CELLS_Y, "cells_y: got %d, expected %l .. %h")                                                                    \
    X(ROTATION_BITS, "rotation_bits: got %d, expected %l .. %h")                                                        \
    X(SCALE_BITS, "scale_bits: got %d, expected %l .. %h")                                                              \
    X(AMPLITUDE_BITS, "amplitude_bits: got %d, expected %l .. %h")                                                      \
    X(STRIDE, "stride: got %d, expected a multiple of 4 in %l .. %h")                                                   \
    X(GEOMETRY_BITS, "geometry bits: got %d, expected at most %h with a stride of %i bits")                             \
    X(SCALE_LO, "scale_lo: got %f, expected %l .. %h")                                                                  \
    X(SCALE_STEP, "scale_step: got %f, expected %l .. %h")                                                              \
    X(LAST_SCALE, "log2 of the inverse scale of the last code: got %f, expected %l .. %h")                              \
    X(LAST_AMPLITUDE, "log-amplitude of the last code: got %f, expected %l .. %h")                                      \
    X(LEVEL_ORDER, "cells: got %d x %i, expected at most the %l x %h of the level before: finest level first")          \
    X(INDEX_OFFSET, "index_offset: got %d, expected %l, right after the part before")                                   \
    X(NO_GAUSSIANS, "count: got %d, expected at least 1; leave out levels without Gaussians")                           \
    X(REGULAR_COUNT, "count: got %d, expected %l, one for every cell of a regular level")                               \
    X(INDEX_ROOM, "cells: got %d x %i, expected a grid whose index of %l words fits into the %h words left")            \
    X(CROWDED_ROOM, "crowded groups: got %d, expected at most %h, whose prefix blocks fit into the file")               \
    X(FIRST_BASE, "index base of group 0: got %d, expected 0")                                                          \
    X(BASE, "index base: got %d, expected bases that do not fall and end at %h")                                        \
    X(GROUP_LIMIT, "Gaussians of a group of 16 cells: got %d, expected at most %h; use finer cells")                    \
    X(PREFIX_OFFSET,                                                                                                    \
      "prefix block offset: got %d, expected blocks in the order of their groups from word %l of the index on")         \
    X(CROWDED_WORD, "third word of a crowded group: got %d, expected 0")                                                \
    X(FIRST_PREFIX, "first prefix of a crowded group: got %d, expected 0")                                              \
    X(PREFIXES, "prefixes of crowded group: got %d, expected prefixes that do not fall and end at the group's total")   \
    X(NOT_CROWDED, "crowded group: got %d, expected a cell of more than 15 Gaussians in it")                            \
    X(GROUP_COUNTS, "index counts of a group: got %d, expected the difference of its base and the next group's")        \
    X(COUNTS_BEYOND, "index counts beyond the last cell: got %d, expected 0")                                           \
    X(RECORD_OFFSET, "record_offset: got %d, expected %l, right after the index")                                       \
    X(REGULAR_OFFSET, "record_offset: got %d, expected %l, index_offset: a regular level has no index")                 \
    X(RECORDS_ROOM, "count: %l records: got %d words, expected at most the %h words left before the guard word")        \
    X(RECORDS_SPARE, "spare bits of the records: got bits that are set, expected zeros")                                \
    X(GAUSSIAN_COUNT, "gaussian_count: got %d, expected %l, the sum over the levels")                                   \
    X(LEFT_OVER, "words: got %d, expected %l: the parts and one guard word, nothing left over")                         \
    X(GUARD, "guard word: got %d, expected 0")                                                                          \
    X(CANDIDATES_MAX, "candidates_max: got %d, expected %l, the largest number of candidates found in the index")

#define GSTEX_RULE_OF(name, text) GSTEX_RULE_##name,
typedef enum gstex_rule { GSTEX_OK = 0, GSTEX_RULES(GSTEX_RULE_OF) GSTEX_RULE_COUNT } gstex_rule;
#undef GSTEX_RULE_OF

// What is wrong with a file: the first rule that it breaks. What `found`, `lo` and `hi` are is in the rule's text.
typedef struct gstex_error {
    int32_t rule;          // gstex_rule
    int32_t group, mip, level; // where; -1 if the rule is not about one group, one mip of it, or one level of that
    int32_t item;          // channel, palette or group; -1 if the rule is about none
    double found, lo, hi;  // the value in the file, and what is allowed; integers are exact
} gstex_error;

// Writes one line about an error, ended by a zero and cut off to `size` bytes, such as
// "group 0 mip 0 level 1 cells_x: got 0, expected 3 .. 8192". Returns the length of the whole line; 200 bytes hold any.
GSTEX_API size_t gstex_error_text(const gstex_error *error, char *text, size_t size);

// ==== Reading a file ================================================================================================
// All return 1, or 0 with the reason in *error, which may be 0 if nobody wants it.

// Where the two sections of a file stand, in bytes from its start.
typedef struct gstex_sections {
    uint32_t gpu_offset, gpu_bytes, gpu_crc;
    uint32_t json_offset, json_bytes, json_crc;
    uint32_t resident_bytes, resident_crc; // of the GPU section, from its start: what the small mips need
} gstex_sections;

// The two sections of a file in memory.
typedef struct gstex_file {
    const uint32_t *words;  // the GPU section, as it is uploaded
    size_t word_count;
    const char *json;       // UTF-8, not ended by a zero, and not looked at: only its checksum is right
    size_t json_bytes;
} gstex_file;

// Reads the header of a file before anything else is read or allocated. head: its first GSTEX_FILE_HEADER_BYTES bytes, or
// all if it has fewer. file_bytes: the size of the file.
GSTEX_API int gstex_read_header(const void *head, size_t head_bytes, uint64_t file_bytes, gstex_sections *sections,
                                gstex_error *error);

// Compares the checksums of two sections with those that the header states. gpu, json: of the sizes in `sections`.
GSTEX_API int gstex_check_crcs(const gstex_sections *sections, const void *gpu, const void *json, gstex_error *error);

// The same for the resident part alone. resident: resident_bytes of them.
GSTEX_API int gstex_check_resident(const gstex_sections *sections, const void *resident, gstex_error *error);

// The same for the rest of the GPU section, which is loaded after a resident part that gstex_check_resident has accepted.
GSTEX_API int gstex_check_rest(const gstex_sections *sections, const void *rest, gstex_error *error);

// Bytes of a file, from its start. There may be none.
typedef struct gstex_range {
    uint32_t offset, bytes;
} gstex_range;

// What a streamer reads after the header: first the small mips, later the rest of the GPU section, which follows them in
// memory too. Without a tail the first range is the whole section.
GSTEX_API void gstex_stream_ranges(const gstex_sections *sections, gstex_range *first, gstex_range *rest);

// The header and both checksums, for a whole file in memory. data: aligned to 4 bytes; `file` points into it.
GSTEX_API int gstex_read(const void *data, size_t bytes, gstex_file *file, gstex_error *error);

// ==== The material ==================================================================================================

typedef enum gstex_role {
    GSTEX_OTHER, GSTEX_ALBEDO, GSTEX_COLOR, GSTEX_OPACITY, GSTEX_NORMAL, GSTEX_ROUGHNESS, GSTEX_METALLIC, GSTEX_AO,
    GSTEX_HEIGHT, GSTEX_EMISSIVE, GSTEX_GLOSS, GSTEX_SPECULAR, GSTEX_MASK
} gstex_role;

typedef enum gstex_component { // of a colour or a normal
    GSTEX_ONLY, GSTEX_RED, GSTEX_GREEN, GSTEX_BLUE, GSTEX_X, GSTEX_Y
} gstex_component;

// What a channel is.
typedef struct gstex_channel {
    int32_t role, component; // gstex_role, gstex_component
    int32_t group;           // -1: it is constant
    int32_t srgb;            // 1: its values are sRGB-encoded
    int32_t flipped;         // 1: Y of a normal that points down
    float constant;          // its value, if it is constant
    float scale, bias;       // a value v in 0 .. 1 stands for bias + scale v ..
    float stops;             // .. or, if this is not 0, for bias + scale (2^(stops v) - 1)
} gstex_channel;

#endif // GSTEX__ON_GPU

// The channels that share one set of Gaussians.
typedef struct gstex_group {
    const uint32_t *words;
    uint32_t header;                          // its first word
    uint32_t members;                         // bit c: channel c of the material is one of these
    int32_t channel_count;                    // of the group ..
    int32_t channel[GSTEX_MAX_CHANNELS];      // .. and which they are in the material
    int32_t top_k;                            // how many Gaussians take part in a texel; 0: all
    int32_t candidates_max;                   // Gaussians that a texel looks at, at most
    int32_t palette_count;
    int32_t palette_bits[GSTEX_MAX_PALETTES]; // palette p has 2^palette_bits[p] entries
    int32_t channel_bits[GSTEX_MAX_CHANNELS]; // of a channel's own code in a record
    float channel_lo[GSTEX_MAX_CHANNELS], channel_step[GSTEX_MAX_CHANNELS];
    float amplitude_lo, amplitude_step;
    uint32_t palette_offset, entry_words;     // word of the first palette; words of an entry or texel
    int32_t width, height, mip_count, tail, first_mip, repeat; // of the material
} gstex_group;

#ifndef GSTEX__ON_GPU

// A checked GPU section, or its resident part alone. Nothing in it is allocated; it points to the words, which have to stay
// where they are.
typedef struct gstex_material {
    const uint32_t *words;
    uint32_t word_count;      // used words, guard word included
    uint32_t resident_words;  // of the resident part, padding included
    int32_t width, height;    // texels of mip 0
    int32_t channel_count, mip_count;
    int32_t tail;             // the first mip that the resident part holds; mip_count if there is none
    int32_t first_mip;        // the first mip that is here: 0, or the tail in a resident part alone
    int32_t repeat;           // 1: the texture repeats; 0: it is clamped
    int32_t bilinear;         // 1: fitted for bilinear filtering; 0: for direct evaluation
    uint32_t srgb;            // bit c: channel c is sRGB-encoded
    int32_t candidates_max;   // Gaussians that a texel looks at, at most, in all groups
    gstex_channel channels[GSTEX_MAX_CHANNELS];
    int32_t group_count;
    gstex_group groups[GSTEX_MAX_GROUPS];
} gstex_material;

// What gstex_validate needs of scratch for any file, in words: 1.6 MB.
#define GSTEX_SCRATCH_WORDS (GSTEX_MAX_CELLS * (3 * GSTEX_MAX_LEVELS + 2))

// The words of scratch that are enough for this section, or this resident part alone: 64 .. GSTEX_SCRATCH_WORDS, some
// thousand for most files. The words need not have been checked.
GSTEX_API size_t gstex_scratch_words(const uint32_t *words, size_t word_count);

// The same for a whole file in memory, which need not be one.
GSTEX_API size_t gstex_file_scratch_words(const void *data, size_t bytes);

// Checks every rule of docs/format.md for a GPU section and makes a material of it. Returns 1, or 0 with the reason in
// *error (which may be 0). The time is linear in word_count.
// words: the whole section, or exactly its resident part (sections.resident_bytes / 4 words), from any source.
// scratch: scratch_words words, which are free again afterwards; gstex_scratch_words says how many are enough.
GSTEX_API int gstex_validate(const uint32_t *words, size_t word_count, uint32_t *scratch, size_t scratch_words,
                             gstex_material *material, gstex_error *error);

// gstex_read and gstex_validate: from the bytes of a file to a checked material. The checksum of the metadata is compared,
// and nothing else is asked of it. data: aligned to 4 bytes; the material points into it. scratch: as for gstex_validate;
// gstex_file_scratch_words says how many words are enough.
GSTEX_API int gstex_load(const void *data, size_t bytes, uint32_t *scratch, size_t scratch_words, gstex_material *material,
                         gstex_error *error);

// Makes a material of words that gstex_validate has accepted before, in no time. It checks nothing: damaged words make
// later calls read anywhere. In a copy of a resident part alone first_mip has to be set (gstex_set_first_mip).
GSTEX_API void gstex_open_unchecked(const uint32_t *words, gstex_material *material);

typedef enum gstex_mip_kind {
    GSTEX_GAUSSIANS, // a set of Gaussians of its own
    GSTEX_TEXELS,    // its texels
    GSTEX_SHARED     // drawn with the Gaussians of mip 0, enlarged by a filter
} gstex_mip_kind;

// A mip of one group.
typedef struct gstex_mip {
    int32_t width, height;   // texels
    int32_t kind;            // gstex_mip_kind
    int32_t level_count;     // of its own Gaussians, the finest first
    uint32_t gaussian_count; // of its own
    uint32_t offset, words;  // its first word, and how many words it takes with all that belongs to it
    float filter;            // of a shared mip: a sigma in texels of mip 0
    float bend[GSTEX_MAX_CHANNELS][3]; // of a shared mip: low, middle, high of each channel (docs/format.md)
} gstex_mip;

#endif // GSTEX__ON_GPU

// A level of Gaussians: its grid and the layout of its records. Widths are in bits, offsets in words.
typedef struct gstex_level {
    int32_t cells_x, cells_y;
    uint32_t index_offset, record_offset, gaussian_count;
    int32_t regular; // 1: one Gaussian in every cell, and no index
    int32_t stride, position_x_bits, position_y_bits, rotation_bits, scale_bits, amplitude_bits;
    float scale_lo, scale_step;
} gstex_level;

#ifndef GSTEX__ON_GPU

// mip: first_mip .. mip_count - 1; level: 0 .. level_count - 1.
GSTEX_API void gstex_get_mip(const gstex_group *group, int mip, gstex_mip *out);
GSTEX_API void gstex_get_level(const gstex_group *group, int mip, int level, gstex_level *out);

// Gaussians in the cells of a level, row by row. counts: cells_x * cells_y of them.
GSTEX_API void gstex_cell_counts(const gstex_group *group, const gstex_level *level, uint16_t *counts);

// Returns the largest number of Gaussians that a position of a mip looks at in a group, and with `mean` (which may be 0)
// the mean over its texels. 0 for a mip of texels. scratch: gstex_scratch_words of the section.
GSTEX_API uint32_t gstex_count_candidates(const gstex_group *group, int mip, uint32_t *scratch, double *mean);

// ==== Uploading =====================================================================================================
// What shaders/gstex.glsl reads. Materials stand one after the other in one buffer, a storage buffer or a texture.

// The words that a material takes in a buffer: its section, or its resident part alone, padding included. A multiple of
// 64, so that the next one stands at a multiple of 256 bytes.
GSTEX_API uint32_t gstex_upload_words(const gstex_material *material);

// Writes these words to `to`, which may be mapped memory of the GPU: it is not read. They are those of the file; of a
// resident part alone first_mip is set. A section that stands in memory as gstex_validate took it may be uploaded from there.
GSTEX_API void gstex_write_words(const gstex_material *material, uint32_t *to);

// Sets first_mip in words that are going to be uploaded: the tail for a resident part alone (material.first_mip), 0 for a
// whole section. Shaders clamp mips to at least it.
GSTEX_API void gstex_set_first_mip(uint32_t *words, int32_t first_mip);

// What a buffer of materials needs, and what a shader that reads all of them is compiled with. Begins as zeros.
typedef struct gstex_pool {
    uint32_t count;          // of materials
    uint32_t words;          // of the buffer so far
    uint32_t resident_words; // of all tails alone
    int32_t vec4s;           // GSTEX_VEC4S: the most channels, in fours
    int32_t max_k;           // GSTEX_MAX_K: the largest top K
    int32_t width, height, mip_count; // the most texels along each axis, the most mips
    int32_t candidates_max;  // the most Gaussians that a texel looks at: the bound of the cost
} gstex_pool;

// Adds a material to a pool and returns its base word, `base` of the shader's functions: the words before it. One material
// alone is a pool of one. Returns 0xFFFFFFFF, and adds nothing, if the buffer would have 2^31 words or more, which is as
// far as the shader counts.
GSTEX_API uint32_t gstex_add_to_pool(gstex_pool *pool, const gstex_material *material);

// A rectangle of a texture, whose texels are words of a run, row by row, from word `first` of it on.
typedef struct gstex_upload_rect {
    uint32_t x, y, width, height;
    uint32_t first;
} gstex_upload_rect;

// The rectangles that `words` words at word `base` of a pool cover, where the pool is a texture of format R32UI and `width`
// texels (GSTEX_WIDTH of the shader): at most three, because a run may begin and end inside a row. Returns how many.
GSTEX_API int gstex_upload_rects(uint32_t base, uint32_t words, uint32_t width, gstex_upload_rect rects[3]);

// What shaders/gstex.glsl parses from the headers of a material at every texel, parsed: the fours of words of its uniform block
// GstexMaterialBlock (docs/shaders.md), in the layout std140 as in std430. Where the shader defines GSTEX_MATERIAL_BLOCK, it
// reads them there. base: of the material in the buffer of words (gstex_add_to_pool).
// Returns the fours that it takes: 7 + 15 for each group, 2 for each of its mips, 7 for each level. If these are more than
// `fours`, nothing is written.
GSTEX_API size_t gstex_material_block(const gstex_material *material, uint32_t base, uint32_t *block, size_t fours);

// ==== Channels ======================================================================================================

// The first channel of a role and a component, or -1. A grey map (GSTEX_ONLY) is found as each of GSTEX_RED, GSTEX_GREEN
// and GSTEX_BLUE. With GSTEX_ONLY the first channel of the role is found, whatever its component.
GSTEX_API int32_t gstex_find(const gstex_material *material, gstex_role role, gstex_component component);

// Which channels hold which map, as `GstexChannels` of the shader: member by member in the layout std140, 80 bytes to be
// copied into a uniform block. -1: there is no such map.
typedef struct gstex_channels {
    int32_t albedo[3], padding_0;
    int32_t emissive[3], padding_1;
    int32_t normal[2];
    uint32_t normal_directx; // 1: Y of the normals points down
    int32_t roughness, gloss, metallic, ao, opacity;
    int32_t height, padding_2[3];
} gstex_channels;

// Fills them by the rules of gstex_find_channels of the shader: of two channels for the same the first counts; a grey map is
// a colour; a picture (GSTEX_COLOR) stands in for albedo; a constant opacity hides nothing and is not found.
// vec4s: GSTEX_VEC4S of the shader. Channels beyond these are not decoded there, and not found here.
GSTEX_API void gstex_find_channels(const gstex_material *material, int32_t vec4s, gstex_channels *channels);

// What values of the colours and of the height stand for, as `GstexUnits` of the shader: in the layout std140, 112 bytes. A
// value v in 0 .. 1 is bias + scale v, or if stops is not 0 bias + scale (2^(stops v) - 1); srgb: 1 if it is sRGB-encoded.
typedef struct gstex_unit {
    float scale, bias, stops;
    uint32_t srgb;
} gstex_unit;
typedef struct gstex_units {
    gstex_unit albedo[3], emissive[3], height;
} gstex_units;

// Fills them for the channels that gstex_find_channels found. What is missing gets 1, 0, 0, 0. With both a shader makes a
// surface of a value without a load (gstex_surface_of), also where only the expanded form is there.
GSTEX_API void gstex_find_units(const gstex_material *material, const gstex_channels *channels, gstex_units *units);

// What a value in 0 .. 1 of a channel stands for in the source map, such as metres of a height or radiance of an emissive
// that was no image of 8 or 16 bits: bias + scale value, or with a curve bias + scale (2^(stops value) - 1).
GSTEX_API float gstex_source_value(const gstex_channel *channel, float value);

// ==== Decoding ======================================================================================================
// `values` holds channel_count floats in 0 .. 1 in the encoding of the source maps (colour stays sRGB), as docs/format.md
// says; what a channel means stands in material.channels. A mip beyond the last is the last one, and one before first_mip
// is that one.

// One texel. x, y: any; beyond the border as the texture goes on.
GSTEX_API void gstex_fetch(const gstex_material *material, int mip, int32_t x, int32_t y, float *values);

// The texels x .. x + width - 1 of rows y .. y + height - 1, which lie inside the mip: the same values as of gstex_fetch,
// in a fraction of the time. texels: channel_count floats each, side by side. row_stride: floats from a row to the next.
// Returns 1, or 0 if the rectangle does not lie inside the mip; then nothing is written.
GSTEX_API int gstex_decode(const gstex_material *material, int mip, int32_t x, int32_t y, int32_t width, int32_t height,
                           float *texels, size_t row_stride);

typedef enum gstex_texel_format {
    GSTEX_UNORM8,  // 0 .. 255 for 0 .. 1, rounded to the nearest: as gstex writes maps of 8 bits
    GSTEX_FLOAT16, // rounded to the nearest, ties to even
    GSTEX_FLOAT32
} gstex_texel_format;

// What a component of a texel holds: a channel, GSTEX_INVERTED(channel) (1 - value: the roughness of a gloss, or a normal's
// Y turned over), or one of these.
#define GSTEX_INVERTED(channel) ((channel) + GSTEX_MAX_CHANNELS)
#define GSTEX_MISSING (-1)  // what gstex_find and gstex_find_channels give for no channel: 1 in the fourth component, else 0
#define GSTEX_ZERO (-2)
#define GSTEX_ONE (-3)
#define GSTEX_NORMAL_Z (-4) // (z + 1) / 2 of the normal whose X and Y stand in the first two components

// The texels that gstex_decode_rect writes.
typedef struct gstex_texel_layout {
    int32_t format;       // gstex_texel_format
    int32_t components;   // 1 .. 4, side by side
    int32_t source[4];    // of each
    int32_t source_units; // 1: gstex_source_value of channels that are not inverted; for floats, without GSTEX_NORMAL_Z
} gstex_texel_layout;

// The texels x .. x + width - 1 of rows y .. y + height - 1 of a mip, in the layout that an engine's texture has: for
// fallback, thumbnails, pages of a virtual texture with their borders. x, y: any, also negative; beyond the border as the
// texture goes on. Values are those of gstex_fetch; groups without a channel of the layout are not decoded.
// texels: aligned to the size of a component. row_pitch: bytes from a row to the next.
// Returns 1, or 0 and writes nothing if the layout has no meaning, a channel is not there, a size is negative, or row_pitch
// is less than a row or no multiple of a component's size.
GSTEX_API int gstex_decode_rect(const gstex_material *material, int mip, int32_t x, int32_t y, int32_t width, int32_t height,
                                const gstex_texel_layout *layout, void *texels, size_t row_pitch);

// How many Gaussians a texel looks at, in all groups; mips of texels have none.
GSTEX_API uint32_t gstex_candidates(const gstex_material *material, int mip, int32_t x, int32_t y);

typedef enum gstex_filter {
    GSTEX_AS_FITTED, // what the file was fitted for, material.bilinear
    GSTEX_DIRECT,    // one evaluation at the point; bilinear in a mip of texels all the same
    GSTEX_BILINEAR   // the four texels around it
} gstex_filter;

// A point of one mip. Coordinates are doubles: as floats they would be good to a thousandth of a texel in a large
// texture. A coordinate that is no number is read as 0.
GSTEX_API void gstex_sample(const gstex_material *material, int mip, double u, double v, gstex_filter filter,
                            float *values);

// A point at a level of detail, between two mips if it is no whole number. lod: clamped to first_mip .. mip_count - 1.
GSTEX_API void gstex_sample_lod(const gstex_material *material, double u, double v, double lod, gstex_filter filter,
                                float *values);

// How (u, v) moves from a pixel of the screen to the next one on the right and to the next one below.
typedef struct gstex_steps {
    double du_dx, dv_dx, du_dy, dv_dy;
} gstex_steps;

// A point with the footprint of a pixel, by up to GSTEX_MAX_TAPS taps along its longer axis.
GSTEX_API void gstex_sample_grad(const gstex_material *material, double u, double v, const gstex_steps *steps,
                                 gstex_filter filter, float *values);

// What gstex_sample_grad makes of a footprint.
typedef struct gstex_footprint {
    double lod;            // not clamped; minus infinity if the footprint has no size
    int32_t taps;          // 1 .. max_taps
    double step_u, step_v; // from a tap to the next
} gstex_footprint;

// width, height: texels of mip 0. max_taps: GSTEX_MAX_TAPS, or fewer.
GSTEX_API void gstex_find_footprint(const gstex_steps *steps, int32_t width, int32_t height, int32_t max_taps,
                                    gstex_footprint *out);

#endif // GSTEX__ON_GPU

#ifdef __cplusplus
}
#endif

#endif // GSTEX_H

// ====================================================================================================================
// What follows is compiled in one source file only. Names with two underscores are not for callers.

#if defined(GSTEX_IMPLEMENTATION) && !defined(GSTEX_IMPLEMENTED)
#define GSTEX_IMPLEMENTED

#ifndef GSTEX__ON_GPU
#include <math.h>
#endif

#if defined(GSTEX__ON_GPU)
#define GSTEX__INLINE static __host__ __device__ __forceinline__
#elif defined(__GNUC__)
#define GSTEX__INLINE static inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define GSTEX__INLINE static __forceinline
#else
#define GSTEX__INLINE static inline
#endif

// Before loops of GSTEX__SIDE that become vectors: GCC at -O3 unrolls the shortest before it gets to that.
#if defined(__GNUC__) && !defined(__clang__) && !defined(GSTEX__ON_GPU)
#define GSTEX__LANES _Pragma("GCC unroll 1")
#else
#define GSTEX__LANES
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ==== Numbers =======================================================================================================

// Unions, because C++ compilers read the other member as C does, and no header is needed for it.
typedef union gstex__float_bits {
    uint32_t bits;
    float value;
} gstex__float_bits;

typedef union gstex__double_bits {
    uint64_t bits;
    double value;
} gstex__double_bits;

GSTEX__INLINE float gstex__to_float(uint32_t word) {
    gstex__float_bits both;
    both.bits = word;
    return both.value;
}

GSTEX__INLINE double gstex__to_double(uint64_t word) {
    gstex__double_bits both;
    both.bits = word;
    return both.value;
}

// What the formulas below need of float. Not fused: not every CPU can, and all shall give the same bits.
GSTEX__INLINE float gstex_fma(float a, float b, float c) { return a * b + c; }
// Minimum, maximum and absolute value go by bits, because GCC makes branches of them otherwise, and no vectors of loops.
GSTEX__INLINE float gstex__choose(int first, float a, float b) {
    const uint32_t mask = 0u - (uint32_t)first;
    gstex__float_bits x, y;
    x.value = a;
    y.value = b;
    return gstex__to_float((x.bits & mask) | (y.bits & ~mask));
}
GSTEX__INLINE float gstex_min(float a, float b) { return gstex__choose(a < b, a, b); }
GSTEX__INLINE float gstex_max(float a, float b) { return gstex__choose(a > b, a, b); }
GSTEX__INLINE float gstex_abs(float a) {
    gstex__float_bits x;
    x.value = a;
    return gstex__to_float(x.bits & 0x7FFFFFFFu);
}
GSTEX__INLINE int gstex__is_finite(float a) { return gstex_abs(a) <= 3.402823466e38f; }
GSTEX__INLINE float gstex_saturate(float a) { return gstex_min(gstex_max(a, 0.0f), 1.0f); }
GSTEX__INLINE float gstex_inverse_sqrt(float a) { return 1.0f / sqrtf(a); }
GSTEX__INLINE int32_t gstex_truncate(float a) { return (int32_t)a; }
GSTEX__INLINE float gstex_to_real(int32_t a) { return (float)a; }
GSTEX__INLINE float gstex_power_of_2(int32_t a) { return gstex__to_float((uint32_t)a << 23); }

#define REAL float
#define WHOLE int32_t
#define GSTEX_FORMULA GSTEX__INLINE
// ---- formulas: written by tools/write_headers.py ----
// For x below 127. Below -96 it is 2^-96: the background of any blend outweighs it, and its products with fades and
// features are still normal numbers. CPUs take a hundred times longer for subnormal ones. The relative error above is at
// most 1.5e-7: the polynomial has the least for float32 coefficients of degree 5 with 2^0 = 1.
GSTEX_FORMULA REAL gstex_exp2(REAL x) {
    const REAL inside = gstex_max(x, (REAL)-96.0f);
    // + 127 is the exponent's bias; + 0.5 makes the truncation of a positive number a rounding.
    const WHOLE biased = gstex_truncate(inside + (REAL)127.5f);
    const REAL rest = inside - (gstex_to_real(biased) - (REAL)127.0f); // -0.5 .. 0.5
    REAL power = (REAL)0.0013269608607515693f;
    power = gstex_fma(power, rest, (REAL)0.009671293199062347f);
    power = gstex_fma(power, rest, (REAL)0.0555071085691452f);
    power = gstex_fma(power, rest, (REAL)0.24022246897220612f);
    power = gstex_fma(power, rest, (REAL)0.6931470036506653f);
    power = gstex_fma(power, rest, (REAL)1.0f);
    return power * gstex_power_of_2(biased);
}

// ---- What the codes of a record mean (docs/format.md, "Record") ----------------------------------------------------

// A centre inside its cell, in cells. step: 2^-position_bits.
GSTEX_FORMULA REAL gstex_position(REAL code, REAL step) { return (code + (REAL)0.5f) * step; }

// The tangent h of half the rotation; a record without rotation bits has no rotation. half: 2^(rotation_bits - 1).
// step: GSTEX_TAN_22_5 / half.
GSTEX_FORMULA REAL gstex_half_angle(REAL code, REAL half, REAL step) { return (code - half) * step; }

// The cosine and the sine of the rotation. norm: 1 / (1 + h^2).
GSTEX_FORMULA REAL gstex_cosine(REAL h, REAL norm) { return ((REAL)1.0f - h * h) * norm; }
GSTEX_FORMULA REAL gstex_sine(REAL h, REAL norm) { return (h + h) * norm; }

// The log2 of an inverse scale in 1/texel, a log-amplitude, or the feature of a channel.
GSTEX_FORMULA REAL gstex_value(REAL lo, REAL step, REAL code) { return gstex_fma(step, code, lo); }

// The value of a shared mip from what the Gaussians of mip 0 give, x in 0 .. 1. low, high: what is added
// at x = 0 and 1. middle: at 1/2, beside the mean of both.
GSTEX_FORMULA REAL gstex_bend(REAL x, REAL low, REAL middle, REAL high) {
    const REAL rest = (REAL)1.0f - x;
    const REAL ends = gstex_fma(low, rest, high * x);
    return gstex_saturate(x + gstex_fma((REAL)4.0f * middle, x * rest, ends));
}

// An inverse scale as a mip sees it whose Gaussians are enlarged by a filter of this variance.
GSTEX_FORMULA REAL gstex_widened(REAL inverse_scale, REAL variance) {
    return inverse_scale * gstex_inverse_sqrt(gstex_fma(inverse_scale * inverse_scale, variance, (REAL)1.0f));
}

// ---- The weight of a Gaussian ("Decoding a position") --------------------------------------------------------------

// e^(amplitude - (u^2 + v^2) / 2) as a power of 2. amplitude: times log2(e). u, v: times GSTEX_UNIT, the root of half
// of log2(e), by which inverse scales are multiplied once.
GSTEX_FORMULA REAL gstex_score(REAL amplitude, REAL u, REAL v) { return gstex_fma(-u, u, gstex_fma(-v, v, amplitude)); }
GSTEX_FORMULA REAL gstex_weight(REAL amplitude, REAL u, REAL v) { return gstex_exp2(gstex_score(amplitude, u, v)); }

// How much of a weight is left along an axis: 1 around the Gaussian's own cell, 0 from the edge of the 3x3 cells on.
// from_middle: of the position from the middle of the Gaussian's cell, in cells.
GSTEX_FORMULA REAL gstex_fade(REAL from_middle) {
    const REAL f =
        gstex_saturate(gstex_fma(gstex_abs(from_middle), (REAL)(-GSTEX_FADE_SLOPE), (REAL)(1.5f * GSTEX_FADE_SLOPE)));
    return f * f * gstex_fma(f, (REAL)-2.0f, (REAL)3.0f);
}
// ---- end of formulas ----
#undef GSTEX_FORMULA
#undef WHOLE
#undef REAL

GSTEX__INLINE uint32_t gstex__bits(uint32_t word, int first, int count) { return word >> first & ((1u << count) - 1u); }

GSTEX__INLINE int32_t gstex__int_bits(uint32_t word, int first, int count) {
    return (int32_t)gstex__bits(word, first, count);
}

// Texels of a mip along an axis of `size` texels.
GSTEX__INLINE int32_t gstex__mip_size(int32_t size, int mip) { return size >> mip > 1 ? size >> mip : 1; }

// Bits of a record before its palettes' entries.
GSTEX__INLINE int gstex__geometry_bits(const gstex_level *level) {
    return level->position_x_bits + level->position_y_bits + level->rotation_bits + 2 * level->scale_bits +
           level->amplitude_bits;
}

#ifndef GSTEX__ON_GPU

// ==== Errors ========================================================================================================

typedef struct gstex__line {
    char *text;
    size_t size, length; // room, and what the line takes so far, written or not
} gstex__line;

static void gstex__put(gstex__line *line, char c) {
    if (line->length + 1 < line->size) line->text[line->length] = c;
    ++line->length;
}

static void gstex__put_text(gstex__line *line, const char *text) {
    while (*text) gstex__put(line, *text++);
}

static void gstex__put_digits(gstex__line *line, uint64_t value, unsigned base, int least) {
    char digits[20];
    int count = 0;
    while (value > 0 || count < least) {
        digits[count++] = "0123456789ABCDEF"[value % base];
        value /= base;
    }
    while (count > 0) gstex__put(line, digits[--count]);
}

static void gstex__put_integer(gstex__line *line, double value) {
    if (value < 0) gstex__put(line, '-');
    gstex__put_digits(line, (uint64_t)(value < 0 ? -value : value), 10, 1);
}

static void gstex__put_hex(gstex__line *line, double value, int least) {
    gstex__put_text(line, "0x");
    gstex__put_digits(line, (uint64_t)value, 16, least);
}

// A float with up to nine digits, as short as they allow.
static void gstex__put_real(gstex__line *line, double value) {
    int exponent = 0, count = 9, i;
    uint64_t digits;
    char text[9];
    if (value != value) {
        gstex__put_text(line, "nan");
        return;
    }
    if (value < 0) {
        gstex__put(line, '-');
        value = -value;
    }
    if (value > 1e300) {
        gstex__put_text(line, "inf");
        return;
    }
    for (; value >= 10; value /= 10) ++exponent;
    for (; value > 0 && value < 1; value *= 10) --exponent;
    digits = (uint64_t)(value * 1e8 + 0.5);
    if (digits >= 1000000000u) {
        digits /= 10;
        ++exponent;
    }
    for (i = 8; i >= 0; --i, digits /= 10) text[i] = (char)('0' + (int)(digits % 10));
    while (count > 1 && text[count - 1] == '0') --count;
    if (exponent < -5 || exponent > 15) { // d.ddde-6
        gstex__put(line, text[0]);
        if (count > 1) gstex__put(line, '.');
        for (i = 1; i < count; ++i) gstex__put(line, text[i]);
        gstex__put(line, 'e');
        gstex__put_integer(line, exponent);
        return;
    }
    for (i = exponent < 0 ? exponent : 0; i < count || i <= exponent + 1; ++i) {
        if (i == exponent + 1) gstex__put(line, '.');
        gstex__put(line, i >= 0 && i < count ? text[i] : '0');
    }
}

// The bytes of a magic: four in `found`, four in `lo`, of which the file has `item`.
static void gstex__put_magic(gstex__line *line, const gstex_error *error) {
    int i;
    if (error->item <= 0) gstex__put_text(line, "an empty file");
    for (i = 0; i < error->item && i < 8; ++i) {
        const uint32_t byte = (uint32_t)(i < 4 ? error->found : error->lo) >> 8 * (i & 3) & 255u;
        if (i > 0) gstex__put(line, ' ');
        gstex__put(line, "0123456789abcdef"[byte >> 4]);
        gstex__put(line, "0123456789abcdef"[byte & 15]);
    }
}

static void gstex__put_place(gstex__line *line, const char *name, int32_t number) {
    if (number < 0) return;
    gstex__put_text(line, name);
    gstex__put_integer(line, number);
    gstex__put(line, ' ');
}

GSTEX_API size_t gstex_error_text(const gstex_error *error, char *text, size_t size) {
#define GSTEX__TEXT_OF(name, text) text,
    static const char *const texts[] = {"no error", GSTEX_RULES(GSTEX__TEXT_OF)};
#undef GSTEX__TEXT_OF
    const char *from = texts[error->rule > 0 && error->rule < GSTEX_RULE_COUNT ? error->rule : 0];
    gstex__line line;
    line.text = text;
    line.size = size;
    line.length = 0;
    if (error->rule != GSTEX_OK) {
        gstex__put_place(&line, "group ", error->group);
        gstex__put_place(&line, "mip ", error->mip);
        gstex__put_place(&line, "level ", error->level);
    }
    for (; *from; ++from) {
        if (*from != '%') {
            gstex__put(&line, *from);
            continue;
        }
        switch (*++from) {
        case 'd': gstex__put_integer(&line, error->found); break;
        case 'f': gstex__put_real(&line, error->found); break;
        case 'x': gstex__put_hex(&line, error->found, 1); break;
        case 'X': gstex__put_hex(&line, error->found, 8); break;
        case 'l': gstex__put_integer(&line, error->lo); break;
        case 'e': gstex__put_real(&line, error->lo); break;
        case 'L': gstex__put_hex(&line, error->lo, 1); break;
        case 'h': gstex__put_integer(&line, error->hi); break;
        case 'i': gstex__put_integer(&line, error->item); break;
        default: gstex__put_magic(&line, error); break;
        }
    }
    if (size > 0) text[line.length < size ? line.length : size - 1] = 0;
    return line.length;
}

// Where a check is, and whom it tells what it finds.
typedef struct gstex__check {
    const uint32_t *words;
    uint64_t end;       // the guard word: parts of a section end before it
    int32_t group, mip, level; // -1: none
    gstex_error *error;
} gstex__check;

static int gstex__fail(const gstex__check *at, int rule, int64_t item, double found, double lo, double hi) {
    if (at->error) {
        at->error->rule = rule;
        at->error->group = at->group;
        at->error->mip = at->mip;
        at->error->level = at->level;
        at->error->item = (int32_t)item;
        at->error->found = found;
        at->error->lo = lo;
        at->error->hi = hi;
    }
    return 0;
}

#define GSTEX__REQUIRE(ok, rule, item, found, lo, hi)                                                                   \
    do {                                                                                                                \
        if (!(ok)) return gstex__fail(at, GSTEX_RULE_##rule, item, (double)(found), (double)(lo), (double)(hi));        \
    } while (0)

// A number in lo .. hi. What is no number is in no range.
#define GSTEX__REQUIRE_RANGE(value, rule, item, lo, hi)                                                                 \
    GSTEX__REQUIRE((double)(value) >= (double)(lo) && (double)(value) <= (double)(hi), rule, item, value, lo, hi)

// ==== Reading a file ================================================================================================

static const unsigned char gstex__file_magic[8] = {0x89, 'G', 'S', 'T', 'E', 'X', '\r', '\n'};

static uint32_t gstex__load(const unsigned char *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

// CRC-32 as in zlib, of `before` and what follows. The tables are made anew each time, in some microseconds: as constants
// they would be 4 KB of text.
static uint32_t gstex__add_to_crc32(uint32_t before, const unsigned char *bytes, size_t count) {
    uint32_t table[4][256], crc = ~before, i;
    int bit;
    for (i = 0; i < 256; ++i) {
        uint32_t entry = i;
        for (bit = 0; bit < 8; ++bit) entry = entry >> 1 ^ (entry & 1u ? 0xEDB88320u : 0u);
        table[0][i] = entry;
    }
    for (i = 0; i < 256; ++i) {
        table[1][i] = table[0][i] >> 8 ^ table[0][table[0][i] & 255u];
        table[2][i] = table[1][i] >> 8 ^ table[0][table[1][i] & 255u];
        table[3][i] = table[2][i] >> 8 ^ table[0][table[2][i] & 255u];
    }
    for (; count >= 4; count -= 4, bytes += 4) {
        crc ^= gstex__load(bytes);
        crc = table[3][crc & 255u] ^ table[2][crc >> 8 & 255u] ^ table[1][crc >> 16 & 255u] ^ table[0][crc >> 24];
    }
    for (; count > 0; --count, ++bytes) crc = crc >> 8 ^ table[0][(crc ^ *bytes) & 255u];
    return ~crc;
}

static uint32_t gstex__crc32(const unsigned char *bytes, size_t count) { return gstex__add_to_crc32(0, bytes, count); }

static gstex__check gstex__check_of(const uint32_t *words, gstex_error *error) {
    gstex__check at;
    at.words = words;
    at.end = 0;
    at.group = at.mip = at.level = -1;
    at.error = error;
    if (error) {
        const gstex_error none = {GSTEX_OK, -1, -1, -1, -1, 0.0, 0.0, 0.0};
        *error = none;
    }
    return at;
}

static int gstex__check_version(const gstex__check *at, uint32_t version) {
    GSTEX__REQUIRE(version <= GSTEX_VERSION, NEWER_VERSION, -1, version, 1, GSTEX_VERSION);
    GSTEX__REQUIRE(version >= GSTEX_VERSION, OLDER_VERSION, -1, version, 0, GSTEX_VERSION);
    return 1;
}

GSTEX_API int gstex_read_header(const void *head, size_t head_bytes, uint64_t file_bytes, gstex_sections *sections,
                                gstex_error *error) {
    const gstex__check check = gstex__check_of(0, error), *at = &check;
    const unsigned char *bytes = (const unsigned char *)head;
    unsigned char start[8] = {0};
    uint32_t set = 0;
    size_t i, same = 0;
    for (i = 0; i < 8 && i < head_bytes; ++i) start[i] = bytes[i];
    while (same < 8 && start[same] == gstex__file_magic[same]) ++same;
    GSTEX__REQUIRE(same == 8, FILE_MAGIC, (int32_t)(head_bytes < 8 ? head_bytes : 8), gstex__load(start),
                   gstex__load(start + 4), 0);
    GSTEX__REQUIRE(head_bytes >= GSTEX_FILE_HEADER_BYTES, FILE_SIZE, -1, file_bytes, GSTEX_FILE_HEADER_BYTES, 0);
    if (!gstex__check_version(at, gstex__load(bytes + 8))) return 0;
    GSTEX__REQUIRE(gstex__load(bytes + 12) == 0, FLAGS, -1, gstex__load(bytes + 12), 0, 0);
    GSTEX__REQUIRE(gstex__load(bytes + 16) == file_bytes, FILE_BYTES, -1, gstex__load(bytes + 16), file_bytes, 0);
    sections->gpu_offset = gstex__load(bytes + 20);
    sections->gpu_bytes = gstex__load(bytes + 24);
    sections->json_offset = gstex__load(bytes + 28);
    sections->json_bytes = gstex__load(bytes + 32);
    sections->gpu_crc = gstex__load(bytes + 36);
    sections->json_crc = gstex__load(bytes + 40);
    GSTEX__REQUIRE(sections->gpu_offset == GSTEX_FILE_HEADER_BYTES, GPU_OFFSET, -1, sections->gpu_offset,
                   GSTEX_FILE_HEADER_BYTES, 0);
    GSTEX__REQUIRE(sections->gpu_bytes > 0 && sections->gpu_bytes % (4 * GSTEX_ALIGN_WORDS) == 0, GPU_BYTES, -1,
                   sections->gpu_bytes, 4 * GSTEX_ALIGN_WORDS, 0);
    {
        const uint64_t gpu_end = (uint64_t)sections->gpu_offset + sections->gpu_bytes;
        GSTEX__REQUIRE(sections->json_offset == gpu_end, JSON_OFFSET, -1, sections->json_offset, gpu_end, 0);
    }
    GSTEX__REQUIRE_RANGE(sections->json_bytes, JSON_BYTES, -1, 2, GSTEX_MAX_JSON_BYTES);
    GSTEX__REQUIRE((uint64_t)sections->json_offset + sections->json_bytes == file_bytes, JSON_END, -1,
                   sections->json_bytes, (double)file_bytes - (double)sections->json_offset, 0);
    sections->resident_bytes = gstex__load(bytes + 44);
    sections->resident_crc = gstex__load(bytes + 48);
    GSTEX__REQUIRE(sections->resident_bytes > 0 && sections->resident_bytes % (4 * GSTEX_ALIGN_WORDS) == 0 &&
                       sections->resident_bytes <= sections->gpu_bytes,
                   RESIDENT_BYTES, -1, sections->resident_bytes, 4 * GSTEX_ALIGN_WORDS, sections->gpu_bytes);
    for (i = 52; i < GSTEX_FILE_HEADER_BYTES; ++i) set |= bytes[i];
    GSTEX__REQUIRE(set == 0, FILE_PADDING, -1, 0, 0, 0);
    return 1;
}

GSTEX_API int gstex_check_crcs(const gstex_sections *sections, const void *gpu, const void *json, gstex_error *error) {
    const gstex__check check = gstex__check_of(0, error), *at = &check;
    uint32_t found = gstex__crc32((const unsigned char *)gpu, sections->gpu_bytes);
    GSTEX__REQUIRE(found == sections->gpu_crc, GPU_CRC, -1, sections->gpu_crc, found, 0);
    found = gstex__crc32((const unsigned char *)json, sections->json_bytes);
    GSTEX__REQUIRE(found == sections->json_crc, JSON_CRC, -1, sections->json_crc, found, 0);
    return gstex_check_resident(sections, gpu, error);
}

GSTEX_API int gstex_check_resident(const gstex_sections *sections, const void *resident, gstex_error *error) {
    const gstex__check check = gstex__check_of(0, error), *at = &check;
    const uint32_t *words = (const uint32_t *)resident;
    const uint32_t found = gstex__crc32((const unsigned char *)resident, sections->resident_bytes);
    const uint64_t stated = 4 * (uint64_t)gstex__load((const unsigned char *)(words + 5));
    GSTEX__REQUIRE(found == sections->resident_crc, RESIDENT_CRC, -1, sections->resident_crc, found, 0);
    GSTEX__REQUIRE(stated == sections->resident_bytes, RESIDENT_OF_WORDS, -1, sections->resident_bytes, stated, 0);
    return 1;
}

GSTEX_API int gstex_check_rest(const gstex_sections *sections, const void *rest, gstex_error *error) {
    const gstex__check check = gstex__check_of(0, error), *at = &check;
    const uint32_t found = gstex__add_to_crc32(sections->resident_crc, (const unsigned char *)rest,
                                               sections->gpu_bytes - sections->resident_bytes);
    GSTEX__REQUIRE(found == sections->gpu_crc, GPU_CRC, -1, sections->gpu_crc, found, 0);
    return 1;
}

GSTEX_API void gstex_stream_ranges(const gstex_sections *sections, gstex_range *first, gstex_range *rest) {
    first->offset = sections->gpu_offset;
    first->bytes = sections->resident_bytes;
    rest->offset = sections->gpu_offset + sections->resident_bytes;
    rest->bytes = sections->gpu_bytes - sections->resident_bytes;
}

GSTEX_API int gstex_read(const void *data, size_t bytes, gstex_file *file, gstex_error *error) {
    const gstex__check check = gstex__check_of(0, error), *at = &check;
    const unsigned char *start = (const unsigned char *)data;
    gstex_sections sections;
    if (!gstex_read_header(data, bytes, bytes, &sections, error)) return 0;
    GSTEX__REQUIRE((uintptr_t)data % 4 == 0, ALIGNMENT, -1, 0, 0, 0);
    if (!gstex_check_crcs(&sections, start + sections.gpu_offset, start + sections.json_offset, error)) return 0;
    file->words = (const uint32_t *)(const void *)(start + sections.gpu_offset);
    file->word_count = sections.gpu_bytes / 4;
    // A resident part is none: gstex_validate would take it for a tail alone.
    GSTEX__REQUIRE(file->words[4] <= file->word_count || file->words[5] != file->word_count, WORDS,
                   (int64_t)file->word_count, file->words[4], file->word_count - GSTEX_ALIGN_WORDS + 1, file->word_count);
    file->json = (const char *)(start + sections.json_offset);
    file->json_bytes = sections.json_bytes;
    return 1;
}

// ==== The material ==================================================================================================

// How many numbers a channel has, by its entry.
static uint32_t gstex__numbers_of(uint32_t entry) {
    return (gstex__bits(entry, 16, 3) == GSTEX_CONSTANT_GROUP) + 2 * gstex__bits(entry, 23, 1) +
           (gstex__bits(entry, 21, 2) == 1);
}

static void gstex__open_channel(const uint32_t *words, int number, gstex_channel *channel) {
    const uint32_t entry = words[GSTEX_HEADER_FIXED_WORDS + GSTEX_CHANNEL_ENTRY_WORDS * number];
    const uint32_t *numbers = words + (entry >> 24);
    const int group = gstex__int_bits(entry, 16, 3), ranged = gstex__int_bits(entry, 23, 1);
    channel->role = gstex__int_bits(entry, 0, 8);
    channel->component = gstex__int_bits(entry, 8, 3);
    channel->group = group == GSTEX_CONSTANT_GROUP ? -1 : group;
    channel->srgb = gstex__int_bits(entry, 19, 1);
    channel->flipped = gstex__int_bits(entry, 20, 1);
    channel->constant = channel->group < 0 ? gstex__to_float(*numbers++) : 0.0f;
    channel->scale = ranged ? gstex__to_float(numbers[0]) : 1.0f;
    channel->bias = ranged ? gstex__to_float(numbers[1]) : 0.0f;
    channel->stops = ranged && gstex__bits(entry, 21, 2) == 1 ? gstex__to_float(numbers[2]) : 0.0f;
}

// Words of the header of a group of so many channels.
static uint32_t gstex__group_header_words(const gstex_material *material, uint32_t channels) {
    return GSTEX_GROUP_FIXED_WORDS + (uint32_t)(2 * material->mip_count - material->tail) + 2 * channels +
           (channels + 7) / 8;
}

static void gstex__open_group(const gstex_material *material, uint32_t offset, gstex_group *group) {
    const uint32_t *header = material->words + offset, *nibbles;
    const uint32_t *ranges = header + GSTEX_GROUP_FIXED_WORDS + 2 * material->mip_count - material->tail;
    int i;
    group->words = material->words;
    group->header = offset;
    group->width = material->width;
    group->height = material->height;
    group->mip_count = material->mip_count;
    group->tail = material->tail;
    group->first_mip = material->first_mip;
    group->repeat = material->repeat;
    group->members = gstex__bits(header[0], 0, 16);
    group->top_k = gstex__int_bits(header[0], 16, 8);
    group->amplitude_lo = gstex__to_float(header[1]);
    group->amplitude_step = gstex__to_float(header[2]);
    group->candidates_max = (int32_t)header[3];
    group->palette_offset = header[4];
    group->palette_count = 0;
    for (i = 0; i < GSTEX_MAX_PALETTES; ++i) {
        group->palette_bits[i] = gstex__int_bits(header[5], 4 * i, 4);
        if (group->palette_bits[i]) group->palette_count = i + 1;
    }
    group->channel_count = 0;
    for (i = 0; i < GSTEX_MAX_CHANNELS; ++i) {
        group->channel[i] = 0;
        if (group->members >> i & 1u) group->channel[group->channel_count++] = i;
    }
    nibbles = ranges + 2 * group->channel_count;
    for (i = 0; i < GSTEX_MAX_CHANNELS; ++i) {
        const int there = i < group->channel_count;
        group->channel_lo[i] = there ? gstex__to_float(ranges[2 * i]) : 0.0f;
        group->channel_step[i] = there ? gstex__to_float(ranges[2 * i + 1]) : 0.0f;
        group->channel_bits[i] = there ? gstex__int_bits(nibbles[i >> 3], 4 * (i & 7), 4) : 0;
    }
    group->entry_words = (uint32_t)(group->channel_count + 3) / 4;
}

// The part of a material that stands before its groups.
static void gstex__open_header(const uint32_t *words, gstex_material *material) {
    int c;
    material->words = words;
    material->width = gstex__int_bits(words[2], 0, 16);
    material->height = gstex__int_bits(words[2], 16, 16);
    material->channel_count = gstex__int_bits(words[3], 0, 8);
    material->mip_count = gstex__int_bits(words[3], 8, 8);
    material->group_count = gstex__int_bits(words[3], 16, 3);
    material->tail = gstex__int_bits(words[3], 19, 4);
    material->repeat = gstex__int_bits(words[3], 24, 1);
    material->bilinear = gstex__int_bits(words[3], 25, 1);
    material->first_mip = gstex__int_bits(words[3], 26, 4);
    material->word_count = words[4];
    material->resident_words = words[5];
    material->candidates_max = 0;
    material->srgb = 0;
    for (c = 0; c < material->channel_count; ++c) {
        gstex_channel *channel = &material->channels[c];
        gstex__open_channel(words, c, channel);
        material->srgb |= (uint32_t)channel->srgb << c;
    }
}

static uint32_t gstex__group_offset(const gstex_material *material, int group) {
    return material->words[(int)(material->words[1] >> 16) - material->group_count + group];
}

GSTEX_API void gstex_open_unchecked(const uint32_t *words, gstex_material *material) {
    int g;
    gstex__open_header(words, material);
    for (g = 0; g < material->group_count; ++g) {
        gstex__open_group(material, gstex__group_offset(material, g), &material->groups[g]);
        material->candidates_max += material->groups[g].candidates_max;
    }
}

// Where the block of a mip stands: where all is at hand, and in a resident part alone.
static uint32_t gstex__whole_block(const gstex_group *group, int mip) {
    return group->words[group->header + GSTEX_GROUP_FIXED_WORDS + (uint32_t)mip];
}

static uint32_t gstex__tail_block(const gstex_group *group, int mip) {
    return group->words[group->header + GSTEX_GROUP_FIXED_WORDS + (uint32_t)(group->mip_count + mip - group->tail)];
}

static uint32_t gstex__block(const gstex_group *group, int mip) {
    return group->first_mip > 0 ? gstex__tail_block(group, mip) : gstex__whole_block(group, mip);
}

// The group as a resident part alone has it.
static gstex_group gstex__tail_of(const gstex_group *group) {
    gstex_group tail = *group;
    tail.first_mip = group->tail;
    return tail;
}

// A signed number of 10 bits, in units of GSTEX_BEND_UNIT.
static float gstex__bend_number(uint32_t word, int first) {
    const int32_t code = gstex__int_bits(word, first, 10);
    return (float)(code < 512 ? code : code - 1024) * GSTEX_BEND_UNIT;
}

static void gstex__read_bend(const uint32_t *words, int count, float (*bend)[3]) {
    int k;
    for (k = 0; k < count; ++k) {
        bend[k][0] = gstex__bend_number(words[k], 0);
        bend[k][1] = gstex__bend_number(words[k], 10);
        bend[k][2] = gstex__bend_number(words[k], 20);
    }
}

GSTEX_API void gstex_get_mip(const gstex_group *group, int mip, gstex_mip *out) {
    const uint32_t *words = group->words, offset = gstex__block(group, mip), kind = words[offset];
    const uint32_t channels = (uint32_t)group->channel_count;
    out->width = gstex__mip_size(group->width, mip);
    out->height = gstex__mip_size(group->height, mip);
    out->kind = kind & GSTEX_RAW_BIT ? GSTEX_TEXELS : kind & GSTEX_SHARED_BIT ? GSTEX_SHARED : GSTEX_GAUSSIANS;
    out->level_count = gstex__int_bits(kind, 0, 8);
    out->gaussian_count = out->kind == GSTEX_SHARED ? 0 : words[offset + 1];
    out->offset = offset;
    out->filter = 0.0f;
    if (out->kind == GSTEX_TEXELS) {
        out->words = 2 + (uint32_t)out->width * (uint32_t)out->height * group->entry_words;
    } else if (out->level_count == 0) {
        out->words = 2 + channels;
    } else {
        gstex_level last;
        gstex_get_level(group, mip, out->level_count - 1, &last);
        out->words = last.record_offset - offset +
                     (uint32_t)(((uint64_t)last.gaussian_count * (uint32_t)last.stride + 31) / 32);
    }
    if (out->kind == GSTEX_SHARED) {
        out->filter = gstex__to_float(words[offset + 1]);
        gstex__read_bend(words + offset + 2, group->channel_count, out->bend);
    }
}

GSTEX__INLINE void gstex__read_level(const uint32_t *entry, gstex_level *out) {
    const uint32_t widths = entry[4];
    out->cells_x = gstex__int_bits(entry[0], 0, 16);
    out->cells_y = gstex__int_bits(entry[0], 16, 16);
    out->index_offset = entry[1];
    out->record_offset = entry[2];
    out->gaussian_count = entry[3];
    out->stride = gstex__int_bits(widths, 0, 9);
    out->position_x_bits = gstex__int_bits(widths, 9, 4);
    out->position_y_bits = gstex__int_bits(widths, 13, 4);
    out->rotation_bits = gstex__int_bits(widths, 17, 4);
    out->scale_bits = gstex__int_bits(widths, 21, 4);
    out->amplitude_bits = gstex__int_bits(widths, 25, 4);
    out->regular = gstex__int_bits(widths, 29, 1);
    out->scale_lo = gstex__to_float(entry[5]);
    out->scale_step = gstex__to_float(entry[6]);
}

GSTEX_API void gstex_get_level(const gstex_group *group, int mip, int level, gstex_level *out) {
    const uint32_t entries = gstex__block(group, mip) + 2 + (uint32_t)group->channel_count;
    gstex__read_level(group->words + entries + GSTEX_LEVEL_ENTRY_WORDS * level, out);
}

// Adds the Gaussians of the cells first .. first + count - 1 of a level to counts.
static void gstex__add_counts(const uint32_t *words, const gstex_level *level, uint32_t first, uint32_t count,
                              uint32_t *counts) {
    const uint32_t *index = words + level->index_offset;
    uint32_t i, cell;
    if (level->regular) {
        for (i = 0; i < count; ++i) counts[i] += 1;
        return;
    }
    for (i = 0; i < count;) {
        const uint32_t *group = index + 3 * (size_t)((first + i) / GSTEX_GROUP_CELLS);
        cell = (first + i) % GSTEX_GROUP_CELLS;
        if (group[0] >> 31) {
            const uint32_t *block = index + group[1];
            const uint32_t next = group[3] & 0x7FFFFFFFu; // of a last group the first record's: never used as below
            for (; cell < GSTEX_GROUP_CELLS && i < count; ++cell, ++i) {
                const uint32_t here = block[cell >> 1] >> 16 * (cell & 1u) & 0xFFFFu;
                uint32_t end;
                if (cell + 1 < GSTEX_GROUP_CELLS)
                    end = block[(cell + 1) >> 1] >> 16 * ((cell + 1) & 1u) & 0xFFFFu;
                else
                    end = next - (group[0] & 0x7FFFFFFFu);
                counts[i] += end - here;
            }
        } else {
            for (; cell < GSTEX_GROUP_CELLS && i < count; ++cell, ++i)
                counts[i] += group[1 + (cell >> 3)] >> 4 * (cell & 7u) & 15u;
        }
    }
}

GSTEX_API void gstex_cell_counts(const gstex_group *group, const gstex_level *level, uint16_t *counts) {
    const uint32_t cells = (uint32_t)level->cells_x * (uint32_t)level->cells_y;
    uint32_t first, i, part[64];
    for (first = 0; first < cells; first += 64) {
        const uint32_t count = cells - first < 64 ? cells - first : 64;
        for (i = 0; i < count; ++i) part[i] = 0;
        gstex__add_counts(group->words, level, first, count, part);
        for (i = 0; i < count; ++i) counts[first + i] = (uint16_t)part[i];
    }
}

// ==== Number of candidates ==========================================================================================
// The number is constant between the borders of the cells of all levels. The borders of all rows and those of all columns
// cut a mip into at most (sum of rows) (sum of columns) pieces; as no level has more rows or more columns than the one
// before it, that is at most 16 times the sum of their cells (Chebyshev's sum inequality). So all pieces can be looked
// at, row of pieces by row of pieces, in time linear in the index.

typedef struct gstex__grids {
    gstex_level level[GSTEX_MAX_LEVELS];
    int count;
    // Of the row of cells that each level has in the current row of pieces:
    int32_t row[GSTEX_MAX_LEVELS];
    uint32_t *sums[GSTEX_MAX_LEVELS]; // Gaussians in the 3x3 cells around each cell
    // Number of the border on the left of each cell among the borders of all levels.
    uint32_t *border[GSTEX_MAX_LEVELS];
    uint32_t *steps; // of the candidates at each border
    uint32_t *spare; // two rows of cells of the finest level
} gstex__grids;

// Gaussians in the 3x3 cells around every cell of a row of cells.
static void gstex__sum_row(const gstex_group *group, const gstex_level *level, int32_t row, uint32_t *counts,
                           uint32_t *sums) {
    const int32_t nx = level->cells_x, ny = level->cells_y;
    int32_t x, j;
    for (x = 0; x < nx; ++x) counts[x] = 0;
    for (j = row - 1; j <= row + 1; ++j) {
        int32_t y = j;
        if (group->repeat)
            y = y < 0 ? y + ny : y >= ny ? y - ny : y;
        else if (y < 0 || y >= ny)
            continue;
        gstex__add_counts(group->words, level, (uint32_t)y * (uint32_t)nx, (uint32_t)nx, counts);
    }
    for (x = 0; x < nx; ++x) {
        const int32_t left = x > 0 ? x - 1 : group->repeat ? nx - 1 : -1;
        const int32_t right = x + 1 < nx ? x + 1 : group->repeat ? 0 : -1;
        sums[x] = counts[x] + (left >= 0 ? counts[left] : 0) + (right >= 0 ? counts[right] : 0);
    }
}

// No level has more columns than the first.
static size_t gstex__spare_words(const gstex__grids *grids) {
    return grids->count > 0 ? 2 * (size_t)grids->level[0].cells_x : 0;
}

// The levels of a mip and where their parts of the scratch stand. A shared mip has those of mip 0.
static void gstex__find_grids(const gstex_group *group, int mip, uint32_t *scratch, gstex__grids *grids) {
    gstex_mip of;
    int l;
    gstex_get_mip(group, mip, &of);
    if (of.kind == GSTEX_SHARED) {
        mip = 0;
        gstex_get_mip(group, mip, &of);
    }
    grids->count = of.level_count;
    for (l = 0; l < grids->count; ++l) {
        gstex_get_level(group, mip, l, &grids->level[l]);
        grids->row[l] = 0;
        grids->sums[l] = scratch;
        grids->border[l] = scratch + grids->level[l].cells_x;
        scratch += 2 * (size_t)grids->level[l].cells_x;
    }
    grids->spare = scratch;
    grids->steps = scratch + gstex__spare_words(grids);
}

// Numbers the borders between columns of all levels from left to right; borders at one place have one number. Returns how
// many there are.
static uint32_t gstex__number_borders(const gstex__grids *grids) {
    int32_t next[GSTEX_MAX_LEVELS];
    uint32_t number = 0;
    int l;
    for (l = 0; l < grids->count; ++l) next[l] = 1;
    for (;;) {
        int first = -1;
        int32_t place = 0, cells = 1;
        for (l = 0; l < grids->count; ++l)
            if (next[l] < grids->level[l].cells_x && (first < 0 || next[l] * cells < place * grids->level[l].cells_x)) {
                first = l;
                place = next[l];
                cells = grids->level[l].cells_x;
            }
        if (first < 0) return number;
        for (l = 0; l < grids->count; ++l)
            if (next[l] < grids->level[l].cells_x && next[l] * cells == place * grids->level[l].cells_x)
                grids->border[l][next[l]++] = number;
        ++number;
    }
}

// Moves a level to its next row of cells.
static void gstex__next_row(const gstex_group *group, gstex__grids *grids, int l) {
    const int32_t nx = grids->level[l].cells_x;
    uint32_t *sums = grids->sums[l], *fresh = grids->spare + grids->level[0].cells_x;
    const uint32_t *border = grids->border[l];
    int32_t x;
    gstex__sum_row(group, &grids->level[l], ++grids->row[l], grids->spare, fresh);
    for (x = 1; x < nx; ++x) grids->steps[border[x]] += (fresh[x] - fresh[x - 1]) - (sums[x] - sums[x - 1]);
    for (x = 0; x < nx; ++x) sums[x] = fresh[x];
}

static uint32_t gstex__most_candidates(const gstex_group *group, int mip, uint32_t *scratch) {
    gstex__grids grids;
    uint32_t borders, most = 0, i;
    int32_t x;
    int l;
    gstex__find_grids(group, mip, scratch, &grids);
    borders = gstex__number_borders(&grids);
    for (i = 0; i < borders; ++i) grids.steps[i] = 0;
    for (l = 0; l < grids.count; ++l) {
        const uint32_t *sums = grids.sums[l];
        gstex__sum_row(group, &grids.level[l], 0, grids.spare, grids.sums[l]);
        for (x = 1; x < grids.level[l].cells_x; ++x) grids.steps[grids.border[l][x]] += sums[x] - sums[x - 1];
    }
    while (grids.count > 0) { // a row of pieces
        uint32_t here = 0;
        int first = -1;
        int32_t place = 0, cells = 1;
        for (l = 0; l < grids.count; ++l) here += grids.sums[l][0];
        if (here > most) most = here;
        for (i = 0; i < borders; ++i) {
            here += grids.steps[i];
            most = here > most ? here : most;
        }
        for (l = 0; l < grids.count; ++l) {
            const int32_t ny = grids.level[l].cells_y;
            if (grids.row[l] + 1 < ny && (first < 0 || (grids.row[l] + 1) * cells < place * ny)) {
                first = l;
                place = grids.row[l] + 1;
                cells = ny;
            }
        }
        if (first < 0) break;
        for (l = 0; l < grids.count; ++l) {
            const int32_t ny = grids.level[l].cells_y;
            if (grids.row[l] + 1 < ny && (grids.row[l] + 1) * cells == place * ny)
                gstex__next_row(group, &grids, l);
        }
    }
    return most;
}

// How many texel centres of an axis stand before cell `cell`.
static int32_t gstex__centres_before(int32_t size, int32_t cells, int32_t cell) {
    return (2 * size * cell + cells - 1) / (2 * cells);
}

static double gstex__mean_candidates(const gstex_group *group, int mip, uint32_t *scratch) {
    const int32_t width = gstex__mip_size(group->width, mip), height = gstex__mip_size(group->height, mip);
    gstex__grids grids;
    double total = 0;
    int32_t x, y;
    int l;
    gstex__find_grids(group, mip, scratch, &grids);
    for (l = 0; l < grids.count; ++l) {
        const int32_t nx = grids.level[l].cells_x, ny = grids.level[l].cells_y;
        uint32_t *centres = grids.border[l];
        uint64_t of_level = 0;
        for (x = 0; x < nx; ++x)
            centres[x] = (uint32_t)(gstex__centres_before(width, nx, x + 1) - gstex__centres_before(width, nx, x));
        for (y = 0; y < ny; ++y) {
            const int32_t rows = gstex__centres_before(height, ny, y + 1) - gstex__centres_before(height, ny, y);
            uint64_t of_row = 0;
            if (rows == 0) continue;
            gstex__sum_row(group, &grids.level[l], y, grids.spare, grids.sums[l]);
            for (x = 0; x < nx; ++x) of_row += (uint64_t)grids.sums[l][x] * centres[x];
            of_level += of_row * (uint32_t)rows;
        }
        total += (double)of_level;
    }
    return total / ((double)width * height);
}

// The scratch that the levels of a block take, a block that need not be sound: sums and borders of each level, spare, and
// the steps, one for each border.
static size_t gstex__scratch_of_block(const uint32_t *words, size_t word_count, uint64_t block, uint32_t channels) {
    size_t all = 0, most = 0;
    uint32_t l, levels;
    if (block >= word_count) return 0;
    levels = gstex__bits(words[block], 0, 8);
    for (l = 0; l < levels && l < GSTEX_MAX_LEVELS; ++l) {
        const uint64_t entry = block + 2 + channels + GSTEX_LEVEL_ENTRY_WORDS * l;
        const size_t cells = entry < word_count ? gstex__bits(words[entry], 0, 16) : 0;
        if (cells > GSTEX_MAX_CELLS) return 0; // is refused before it is counted
        all += cells;
        most = cells > most ? cells : most;
    }
    return 3 * all + 2 * most;
}

GSTEX_API size_t gstex_scratch_words(const uint32_t *words, size_t word_count) {
    size_t most = GSTEX_ALIGN_WORDS;
    uint32_t groups, offsets, blocks, g, i, c;
    if (word_count < GSTEX_ALIGN_WORDS) return most;
    groups = gstex__bits(words[3], 16, 3);
    offsets = (words[1] >> 16) - groups;
    blocks = 2 * gstex__bits(words[3], 8, 8) - gstex__bits(words[3], 19, 4); // mip_offset and tail_offset
    for (g = 0; g < groups; ++g) {
        const uint64_t header = offsets + g < word_count ? words[offsets + g] : word_count;
        uint32_t channels = 0;
        if (header + GSTEX_GROUP_FIXED_WORDS + blocks > word_count) continue;
        for (c = 0; c < GSTEX_MAX_CHANNELS; ++c) channels += words[header] >> c & 1u;
        for (i = 0; i < blocks; ++i) {
            const uint32_t block = words[header + GSTEX_GROUP_FIXED_WORDS + i];
            const size_t need = gstex__scratch_of_block(words, word_count, block, channels);
            most = need > most ? need : most;
        }
    }
    return most;
}

GSTEX_API size_t gstex_file_scratch_words(const void *data, size_t bytes) {
    size_t count, stated;
    if (bytes < GSTEX_FILE_HEADER_BYTES || (uintptr_t)data % 4 != 0) return GSTEX_ALIGN_WORDS;
    count = (bytes - GSTEX_FILE_HEADER_BYTES) / 4;
    stated = gstex__load((const unsigned char *)data + 24) / 4; // gpu_bytes
    return gstex_scratch_words((const uint32_t *)data + GSTEX_FILE_HEADER_BYTES / 4, stated < count ? stated : count);
}

GSTEX_API uint32_t gstex_count_candidates(const gstex_group *group, int mip, uint32_t *scratch, double *mean) {
    if (mean) *mean = gstex__mean_candidates(group, mip, scratch);
    return gstex__most_candidates(group, mip, scratch);
}

// ==== Checking ======================================================================================================
// The walk keeps one number, `position`: the word after everything checked so far. A part is read after its size, computed
// in 64 bits, has been found to fit before the guard word.

#define GSTEX__REQUIRE_ROOM(size, rule, position)                                                                       \
    GSTEX__REQUIRE((position) + (size) <= at->end, rule, -1, size, 0, at->end - (position))

static int gstex__check_sizes(const gstex__check *at, const gstex_material *m) {
    const int32_t size = m->width > m->height ? m->width : m->height;
    int32_t most_mips = 1;
    GSTEX__REQUIRE_RANGE(m->width, WIDTH, -1, 1, GSTEX_MAX_SIZE);
    GSTEX__REQUIRE_RANGE(m->height, HEIGHT, -1, 1, GSTEX_MAX_SIZE);
    while (size >> most_mips) ++most_mips;
    GSTEX__REQUIRE_RANGE(m->mip_count, MIP_COUNT, -1, 1, most_mips);
    GSTEX__REQUIRE_RANGE(m->tail, TAIL, -1, 1, m->mip_count);
    GSTEX__REQUIRE(m->group_count > 0 || m->tail == m->mip_count, TAIL_OF_NOTHING, -1, m->tail, m->mip_count, 0);
    return 1;
}

static int gstex__check_channel(const gstex__check *at, const gstex_material *m, int c) {
    const gstex_channel *channel = &m->channels[c];
    const uint32_t word = at->words[GSTEX_HEADER_FIXED_WORDS + GSTEX_CHANNEL_ENTRY_WORDS * c];
    GSTEX__REQUIRE_RANGE(channel->role, ROLE, c, 0, GSTEX_MASK);
    GSTEX__REQUIRE_RANGE(channel->component, COMPONENT, c, 0, GSTEX_Y);
    GSTEX__REQUIRE((word & 0xF800u) == 0, RESERVED_OF_CHANNEL, c, word & 0xF800u, 0, 0);
    GSTEX__REQUIRE(channel->group < m->group_count, GROUP, c, channel->group, GSTEX_CONSTANT_GROUP, m->group_count);
    GSTEX__REQUIRE(!channel->flipped || (channel->role == GSTEX_NORMAL && channel->component == GSTEX_Y), FLIPPED, c, 1, 0,
                   0);
    GSTEX__REQUIRE(gstex__bits(word, 21, 2) <= 1, CURVE, c, gstex__bits(word, 21, 2), 0, 0);
    GSTEX__REQUIRE(gstex__bits(word, 21, 3) != 1, CURVE_RANGED, c, 1, 0, 0);
    GSTEX__REQUIRE_RANGE(channel->constant, CONSTANT, c, GSTEX_LEAST_CHANNEL, GSTEX_MOST_CHANNEL);
    GSTEX__REQUIRE(gstex__is_finite(channel->scale) && channel->scale != 0.0f, SCALE, c, channel->scale, 0, 0);
    GSTEX__REQUIRE(gstex__is_finite(channel->bias), BIAS, c, channel->bias, 0, 0);
    GSTEX__REQUIRE(!gstex__bits(word, 21, 2) || (channel->stops > 0.0f && channel->stops <= GSTEX_MAX_STOPS), STOPS, c,
                   channel->stops, 0, GSTEX_MAX_STOPS);
    GSTEX__REQUIRE(gstex__bits(word, 21, 3) != 4 || channel->scale != 1.0f || channel->bias != 0.0f, RANGED, c, 1, 0, 0);
    return 1;
}

// The material header. A section of exactly its resident words is a tail alone. Words are read after their number is known
// to be there: the least section has GSTEX_ALIGN_WORDS, and entries and fixed words 24.
static int gstex__check_header(gstex__check *at, size_t word_count, gstex_material *material) {
    const uint32_t *words = at->words;
    uint32_t channels, mips, groups, size, used, resident, least;
    size_t i;
    int c;
    GSTEX__REQUIRE(word_count > 0 && word_count % GSTEX_ALIGN_WORDS == 0 && word_count < (size_t)1 << 30, SECTION_WORDS,
                   -1, word_count, GSTEX_ALIGN_WORDS, 0);
    GSTEX__REQUIRE(words[0] == GSTEX_MAGIC, MATERIAL_MAGIC, -1, words[0], GSTEX_MAGIC, 0);
    if (!gstex__check_version(at, gstex__bits(words[1], 0, 16))) return 0;
    channels = gstex__bits(words[3], 0, 8);
    mips = gstex__bits(words[3], 8, 8);
    groups = gstex__bits(words[3], 16, 3);
    GSTEX__REQUIRE_RANGE(channels, CHANNEL_COUNT, -1, 1, GSTEX_MAX_CHANNELS);
    GSTEX__REQUIRE_RANGE(mips, MIP_COUNT, -1, 1, GSTEX_MAX_MIPS);
    GSTEX__REQUIRE_RANGE(groups, GROUP_COUNT, -1, 0, GSTEX_MAX_GROUPS);
    size = GSTEX_HEADER_FIXED_WORDS + GSTEX_CHANNEL_ENTRY_WORDS * channels; // less than any section has
    for (i = 0, c = 0; c < (int)channels; ++c) {
        const uint32_t entry = words[GSTEX_HEADER_FIXED_WORDS + GSTEX_CHANNEL_ENTRY_WORDS * c];
        const uint32_t numbers = gstex__numbers_of(entry), expected = numbers ? size + (uint32_t)i : 0;
        GSTEX__REQUIRE(entry >> 24 == expected, NUMBERS, c, entry >> 24, expected, 0);
        i += numbers;
    }
    size += (uint32_t)i + groups;
    GSTEX__REQUIRE(words[1] >> 16 == size, HEADER_WORDS, -1, words[1] >> 16, size, 0);
    GSTEX__REQUIRE((words[3] & 0xC0800000u) == 0, RESERVED_OF_3, -1, words[3] & 0xC0800000u, 0, 0);
    GSTEX__REQUIRE(gstex__bits(words[3], 26, 4) == 0, FIRST_MIP, -1, gstex__bits(words[3], 26, 4), 0, 0);
    GSTEX__REQUIRE((words[6] | words[7]) == 0, RESERVED_OF_HEADER, -1, words[6] | words[7], 0, 0);
    GSTEX__REQUIRE(word_count > size, GROUP_ROOM, -1, size, 0, word_count);
    gstex__open_header(words, material);
    if (!gstex__check_sizes(at, material)) return 0;
    used = words[4];
    resident = words[5];
    if (material->tail < material->mip_count) {
        const uint32_t most = used ? (used - 1) / GSTEX_ALIGN_WORDS * GSTEX_ALIGN_WORDS : 0; // other words follow it
        GSTEX__REQUIRE(resident % GSTEX_ALIGN_WORDS == 0 && resident > size && resident <= most, RESIDENT_WORDS, -1, resident,
                       size + 1, most);
        if (word_count == resident) material->first_mip = material->tail;
    }
    if (material->first_mip == 0) {
        least = (uint32_t)word_count - GSTEX_ALIGN_WORDS > size ? (uint32_t)word_count - GSTEX_ALIGN_WORDS : size;
        GSTEX__REQUIRE(used > least && used <= word_count, WORDS, (int64_t)word_count, used, least + 1, word_count);
        for (i = used; i < word_count; ++i) GSTEX__REQUIRE(words[i] == 0, PADDING, -1, words[i], 0, 0);
        if (material->tail == material->mip_count)
            GSTEX__REQUIRE(resident == word_count, RESIDENT_ALL, -1, resident, word_count, 0);
    }
    for (c = 0; c < material->channel_count; ++c)
        if (!gstex__check_channel(at, material, c)) return 0;
    at->end = material->tail < material->mip_count ? resident - 1 : used - 1;
    return 1;
}

static int gstex__check_group_header(const gstex__check *at, gstex_material *material, uint64_t *position) {
    const uint32_t *header = at->words + *position;
    gstex_group *group = &material->groups[at->group];
    uint32_t members = 0, palettes = 0, size, p;
    int c, k;
    GSTEX__REQUIRE(gstex__group_offset(material, at->group) == *position, GROUP_OFFSET, at->group,
                   gstex__group_offset(material, at->group), *position, 0);
    for (c = 0; c < material->channel_count; ++c)
        if (material->channels[c].group == at->group) members |= 1u << c;
    GSTEX__REQUIRE_ROOM((uint64_t)GSTEX_GROUP_FIXED_WORDS, GROUP_ROOM, *position);
    GSTEX__REQUIRE(members, NO_MEMBERS, -1, 0, 0, 0);
    GSTEX__REQUIRE((header[0] & 0xFFFFu) == members, MEMBERS, -1, header[0] & 0xFFFFu, members, 0);
    GSTEX__REQUIRE(header[0] >> 24 == 0, RESERVED_OF_GROUP, -1, header[0] >> 24, 0, 0);
    GSTEX__REQUIRE(header[5] >> 16 == 0, RESERVED_OF_GROUP, -1, header[5] >> 16, 0, 0);
    while (palettes < GSTEX_MAX_PALETTES && gstex__bits(header[5], 4 * (int)palettes, 4)) ++palettes;
    for (p = palettes; p < GSTEX_MAX_PALETTES; ++p) {
        const uint32_t bits = gstex__bits(header[5], 4 * (int)p, 4);
        GSTEX__REQUIRE(bits == 0, PALETTE_GAP, (int32_t)p, bits, palettes, 0);
    }
    for (k = 0, c = 0; c < GSTEX_MAX_CHANNELS; ++c) k += (int)(members >> c & 1u);
    size = gstex__group_header_words(material, (uint32_t)k);
    GSTEX__REQUIRE_ROOM((uint64_t)size, GROUP_ROOM, *position);
    if (k % 8) GSTEX__REQUIRE(header[size - 1] >> 4 * (k % 8) == 0, UNUSED_NIBBLES, -1, 0, 0, 0);
    gstex__open_group(material, (uint32_t)*position, group);
    *position += size;
    if (palettes)
        GSTEX__REQUIRE(header[4] == *position, PALETTE_OFFSET, -1, header[4], *position, 0);
    else
        GSTEX__REQUIRE(header[4] == 0, NO_PALETTE_OFFSET, -1, header[4], 0, 0);
    GSTEX__REQUIRE_RANGE(group->top_k, TOP_K, -1, 0, GSTEX_MAX_TOP_K);
    GSTEX__REQUIRE_RANGE(group->amplitude_lo, AMPLITUDE_LO, -1, GSTEX_LEAST_LOG_AMPLITUDE, GSTEX_MOST_LOG_AMPLITUDE);
    GSTEX__REQUIRE_RANGE(group->amplitude_step, AMPLITUDE_STEP, -1, 0, GSTEX_MAX_AMPLITUDE_STEP);
    for (k = 0; k < group->channel_count; ++k) {
        GSTEX__REQUIRE_RANGE(group->channel_lo[k], CHANNEL_LO, k, GSTEX_LEAST_CHANNEL, GSTEX_MOST_CHANNEL);
        GSTEX__REQUIRE_RANGE(group->channel_step[k], CHANNEL_STEP, k, 0, 1);
        GSTEX__REQUIRE_RANGE(group->channel_bits[k], CHANNEL_BITS, k, 0, GSTEX_MAX_CHANNEL_BITS);
        GSTEX__REQUIRE(group->channel_bits[k] > 0 || palettes, NO_BITS, k, 0, 1, GSTEX_MAX_CHANNEL_BITS);
    }
    for (p = 0; p < palettes; ++p)
        GSTEX__REQUIRE_RANGE(group->palette_bits[p], PALETTE_BITS, (int32_t)p, 1, GSTEX_MAX_PALETTE_BITS);
    GSTEX__REQUIRE(header[3] <= GSTEX_MAX_CANDIDATES - (uint32_t)material->candidates_max, CANDIDATES_LIMIT, -1,
                   (double)header[3] + material->candidates_max, 0, GSTEX_MAX_CANDIDATES);
    material->candidates_max += group->candidates_max;
    return 1;
}

// Whether the last word of every texel of a raw mip, or entry of a palette, ends with zeros. count: of words.
static int gstex__spare_bytes_are_zero(const gstex_group *group, const uint32_t *words, uint64_t count) {
    const int used = group->channel_count % 4;
    const uint32_t size = group->entry_words;
    uint32_t set = 0;
    uint64_t i;
    if (used == 0) return 1;
    for (i = size - 1; i < count; i += size) set |= words[i] >> 8 * used;
    return set == 0;
}

static int gstex__check_palettes(const gstex__check *at, const gstex_group *group, uint64_t *position) {
    uint64_t size = 0;
    int p;
    for (p = 0; p < group->palette_count; ++p) size += (uint64_t)group->entry_words << group->palette_bits[p];
    GSTEX__REQUIRE_ROOM(size, PALETTES_ROOM, *position);
    GSTEX__REQUIRE(gstex__spare_bytes_are_zero(group, at->words + *position, size), PALETTES_SPARE, -1, 0, 0, 0);
    *position += size;
    return 1;
}

static int gstex__check_raw(const gstex__check *at, const gstex_group *group, uint64_t *position) {
    const uint32_t *block = at->words + *position;
    const uint64_t width = (uint64_t)gstex__mip_size(group->width, at->mip);
    const uint64_t size = width * (uint64_t)gstex__mip_size(group->height, at->mip) * group->entry_words + 2;
    GSTEX__REQUIRE((block[0] & 255u) == 0, RAW_LEVELS, -1, block[0] & 255u, 0, 0);
    GSTEX__REQUIRE(block[1] == 0, RAW_GAUSSIANS, -1, block[1], 0, 0);
    GSTEX__REQUIRE_ROOM(size, TEXELS_ROOM, *position);
    GSTEX__REQUIRE(gstex__spare_bytes_are_zero(group, block + 2, size - 2), TEXELS_SPARE, -1, 0, 0, 0);
    *position += size;
    return 1;
}

static int gstex__check_background(const gstex__check *at, const gstex_group *group, const uint32_t *words) {
    int c;
    for (c = 0; c < group->channel_count; ++c) {
        const float value = gstex__to_float(words[c]);
        GSTEX__REQUIRE_RANGE(value, BACKGROUND, c, GSTEX_LEAST_CHANNEL, GSTEX_MOST_CHANNEL);
    }
    return 1;
}

// Bits of a record that hold something.
static int gstex__used_bits(const gstex_group *group, const gstex_level *level) {
    int bits = gstex__geometry_bits(level), i;
    for (i = 0; i < group->palette_count; ++i) bits += group->palette_bits[i];
    for (i = 0; i < group->channel_count; ++i) bits += group->channel_bits[i];
    return bits;
}

static int gstex__largest_power(int32_t stride) { // of 2 that divides it: 4, 8, 16 or 32 and more, which counts as 32
    return (stride & -stride) < 32 ? (int)(stride & -stride) : 32;
}

static int gstex__check_layout(const gstex__check *at, const gstex_group *group, const gstex_level *level) {
    const int32_t least_cells = group->repeat ? 3 : 1;
    const int used = gstex__used_bits(group, level), geometry = gstex__geometry_bits(level);
    const int least_stride = used > GSTEX_MIN_STRIDE ? used : GSTEX_MIN_STRIDE;
    double last;
    GSTEX__REQUIRE_RANGE(level->cells_x, CELLS_X, -1, least_cells, GSTEX_MAX_CELLS);
    GSTEX__REQUIRE_RANGE(level->cells_y, CELLS_Y, -1, least_cells, GSTEX_MAX_CELLS);
    GSTEX__REQUIRE_RANGE(level->rotation_bits, ROTATION_BITS, -1, 0, GSTEX_MAX_FIELD_BITS);
    GSTEX__REQUIRE_RANGE(level->scale_bits, SCALE_BITS, -1, 0, GSTEX_MAX_FIELD_BITS);
    GSTEX__REQUIRE_RANGE(level->amplitude_bits, AMPLITUDE_BITS, -1, 0, GSTEX_MAX_FIELD_BITS);
    GSTEX__REQUIRE(level->stride % 4 == 0 && level->stride >= least_stride && level->stride <= GSTEX_MAX_STRIDE, STRIDE,
                   -1, level->stride, least_stride, GSTEX_MAX_STRIDE);
    GSTEX__REQUIRE(geometry <= 32 + gstex__largest_power(level->stride), GEOMETRY_BITS, level->stride, geometry, 0,
                   32 + gstex__largest_power(level->stride));
    GSTEX__REQUIRE_RANGE(level->scale_lo, SCALE_LO, -1, GSTEX_LEAST_LOG_SCALE, GSTEX_MOST_LOG_SCALE);
    GSTEX__REQUIRE_RANGE(level->scale_step, SCALE_STEP, -1, -GSTEX_MAX_SCALE_STEP, GSTEX_MAX_SCALE_STEP);
    last = (double)level->scale_lo + (double)level->scale_step * (double)((1 << level->scale_bits) - 1);
    GSTEX__REQUIRE_RANGE(last, LAST_SCALE, -1, GSTEX_LEAST_LOG_SCALE, GSTEX_MOST_LOG_SCALE);
    last = (double)group->amplitude_lo +
           (double)group->amplitude_step * (double)((1 << level->amplitude_bits) - 1);
    GSTEX__REQUIRE_RANGE(last, LAST_AMPLITUDE, -1, GSTEX_LEAST_LOG_AMPLITUDE, GSTEX_MOST_LOG_AMPLITUDE);
    return 1;
}

// A crowded group of the index. block: its prefixes. there: how many of its cells exist. number: of the group.
static int gstex__check_crowded(const gstex__check *at, const uint32_t *block, uint32_t total, uint32_t there,
                                uint64_t number) {
    uint32_t before = 0, most = 0, k;
    GSTEX__REQUIRE((block[0] & 0xFFFFu) == 0, FIRST_PREFIX, -1, block[0] & 0xFFFFu, 0, 0);
    for (k = 1; k <= GSTEX_GROUP_CELLS; ++k) {
        const uint32_t end = k < GSTEX_GROUP_CELLS ? block[k >> 1] >> 16 * (k & 1u) & 0xFFFFu : total;
        GSTEX__REQUIRE(end >= before, PREFIXES, -1, number, 0, 0);
        if (end - before > most) most = end - before;
        before = end;
    }
    GSTEX__REQUIRE(most > 15, NOT_CROWDED, -1, number, 0, 0);
    if (there < GSTEX_GROUP_CELLS) {
        const uint32_t last = block[there >> 1] >> 16 * (there & 1u) & 0xFFFFu;
        GSTEX__REQUIRE(last == total, COUNTS_BEYOND, -1, total - last, 0, 0);
    }
    return 1;
}

static uint32_t gstex__nibble_sum(uint32_t word) {
    const uint32_t bytes = (word & 0x0F0F0F0Fu) + (word >> 4 & 0x0F0F0F0Fu);
    return bytes * 0x01010101u >> 24;
}

static int gstex__check_index(const gstex__check *at, const gstex_level *level, uint64_t *position) {
    const uint32_t *index = at->words + *position;
    const uint64_t cells = (uint64_t)level->cells_x * (uint64_t)level->cells_y, groups = cells / GSTEX_GROUP_CELLS + 1;
    const uint64_t room = at->end - *position;
    uint64_t g, crowded = 0, block = 3 * groups;
    GSTEX__REQUIRE(3 * groups <= room, INDEX_ROOM, level->cells_y, level->cells_x, 3 * groups, room);
    for (g = 0; g < groups; ++g) crowded += index[3 * g] >> 31;
    GSTEX__REQUIRE(3 * groups + 8 * crowded <= room, CROWDED_ROOM, -1, crowded, 0, (room - 3 * groups) / 8);
    for (g = 0; g < groups; ++g) {
        const uint32_t *group = index + 3 * g;
        const uint32_t base = group[0] & 0x7FFFFFFFu;
        const uint32_t next = g + 1 < groups ? group[3] & 0x7FFFFFFFu : level->gaussian_count;
        const uint64_t left = cells - GSTEX_GROUP_CELLS * g;
        const uint32_t there = left < GSTEX_GROUP_CELLS ? (uint32_t)left : GSTEX_GROUP_CELLS;
        if (g == 0) GSTEX__REQUIRE(base == 0, FIRST_BASE, -1, base, 0, 0);
        GSTEX__REQUIRE(next >= base, BASE, -1, next, 0, level->gaussian_count);
        GSTEX__REQUIRE(next - base <= GSTEX_MAX_CELL_GROUP, GROUP_LIMIT, -1, next - base, 0, GSTEX_MAX_CELL_GROUP);
        if (group[0] >> 31) {
            GSTEX__REQUIRE(group[1] == block, PREFIX_OFFSET, -1, group[1], 3 * groups, 0);
            GSTEX__REQUIRE(group[2] == 0, CROWDED_WORD, -1, group[2], 0, 0);
            if (!gstex__check_crowded(at, index + block, next - base, there, g)) return 0;
            block += 8;
        } else {
            const uint32_t sum = gstex__nibble_sum(group[1]) + gstex__nibble_sum(group[2]);
            GSTEX__REQUIRE(sum == next - base, GROUP_COUNTS, -1, sum, 0, 0);
            if (there < GSTEX_GROUP_CELLS) {
                const uint64_t counts = (group[1] | (uint64_t)group[2] << 32) >> 4 * there;
                const uint32_t beyond =
                    gstex__nibble_sum((uint32_t)counts) + gstex__nibble_sum((uint32_t)(counts >> 32));
                GSTEX__REQUIRE(beyond == 0, COUNTS_BEYOND, -1, beyond, 0, 0);
            }
        }
    }
    *position += 3 * groups + 8 * crowded;
    return 1;
}

// Whether the bits of records beyond their fields, and of the last word beyond the last record, are zeros. Where records
// start in a word repeats after 32 / gcd(stride, 32) of them.
static int gstex__spare_bits_are_zero(const uint32_t *words, uint32_t count, int used, int stride) {
    const int records = 32 / gstex__largest_power(stride), period = stride / gstex__largest_power(stride);
    const uint64_t bits = (uint64_t)count * (uint64_t)stride, size = (bits + 31) / 32;
    uint32_t spare[GSTEX_MAX_STRIDE / 4] = {0}, set = 0;
    int record, bit, phase = 0;
    uint64_t i;
    if (used < stride) {
        for (record = 0; record < records; ++record)
            for (bit = record * stride + used; bit < (record + 1) * stride; ++bit) spare[bit >> 5] |= 1u << (bit & 31);
        for (i = 0; i < size; ++i) {
            set |= words[i] & spare[phase];
            phase = phase + 1 < period ? phase + 1 : 0;
        }
    }
    if (bits % 32) set |= words[size - 1] >> bits % 32;
    return set == 0;
}

static int gstex__check_level(const gstex__check *at, const gstex_group *group, const gstex_level *level,
                              uint64_t *position) {
    const uint64_t count = level->gaussian_count, cells = (uint64_t)level->cells_x * (uint64_t)level->cells_y;
    const uint64_t size = (count * (uint64_t)level->stride + 31) / 32;
    GSTEX__REQUIRE(level->index_offset == *position, INDEX_OFFSET, -1, level->index_offset, *position, 0);
    GSTEX__REQUIRE(count >= 1, NO_GAUSSIANS, -1, count, 1, 0);
    if (level->regular) {
        GSTEX__REQUIRE(count == cells, REGULAR_COUNT, -1, count, cells, 0);
        GSTEX__REQUIRE(level->record_offset == *position, REGULAR_OFFSET, -1, level->record_offset, *position, 0);
    } else {
        if (!gstex__check_index(at, level, position)) return 0;
        GSTEX__REQUIRE(level->record_offset == *position, RECORD_OFFSET, -1, level->record_offset, *position, 0);
    }
    GSTEX__REQUIRE(*position + size <= at->end, RECORDS_ROOM, -1, size, count, at->end - *position);
    GSTEX__REQUIRE(gstex__spare_bits_are_zero(at->words + *position, level->gaussian_count,
                                              gstex__used_bits(group, level), level->stride),
                   RECORDS_SPARE, -1, 0, 0, 0);
    *position += size;
    return 1;
}

static int gstex__check_gaussians(gstex__check *at, const gstex_group *group, uint64_t *position) {
    const uint32_t *block = at->words + *position, *entries = block + 2 + group->channel_count;
    const uint32_t levels = block[0] & 255u;
    const uint64_t least = 2 + (uint64_t)group->channel_count, size = least + GSTEX_LEVEL_ENTRY_WORDS * levels;
    gstex_level level[GSTEX_MAX_LEVELS];
    uint64_t count = 0;
    uint32_t l;
    GSTEX__REQUIRE_ROOM(least, BLOCK_ROOM, *position);
    GSTEX__REQUIRE_RANGE(levels, LEVEL_COUNT, -1, 0, GSTEX_MAX_LEVELS);
    GSTEX__REQUIRE_ROOM(size, BLOCK_ROOM, *position);
    if (!gstex__check_background(at, group, block + 2)) return 0;
    for (l = 0; l < levels; ++l) {
        const uint32_t *entry = entries + GSTEX_LEVEL_ENTRY_WORDS * l;
        at->level = (int32_t)l;
        GSTEX__REQUIRE(entry[4] >> 30 == 0, RESERVED_OF_LEVEL, -1, entry[4] >> 30, 0, 0);
        gstex__read_level(entry, &level[l]);
        if (!gstex__check_layout(at, group, &level[l])) return 0;
    }
    for (l = 1; l < levels; ++l) {
        at->level = (int32_t)l;
        GSTEX__REQUIRE(level[l].cells_x <= level[l - 1].cells_x && level[l].cells_y <= level[l - 1].cells_y, LEVEL_ORDER,
                       level[l].cells_y, level[l].cells_x, level[l - 1].cells_x, level[l - 1].cells_y);
    }
    *position += size;
    for (l = 0; l < levels; ++l) {
        at->level = (int32_t)l;
        if (!gstex__check_level(at, group, &level[l], position)) return 0;
        count += level[l].gaussian_count;
    }
    at->level = -1;
    GSTEX__REQUIRE(block[1] == count, GAUSSIAN_COUNT, -1, block[1], count, 0);
    return 1;
}

static int gstex__check_shared(const gstex__check *at, const gstex_group *group, int in_tail, uint64_t *position) {
    const uint32_t *block = at->words + *position;
    const float filter = gstex__to_float(block[1]);
    const uint32_t first = at->mip > 0 && !in_tail ? at->words[gstex__whole_block(group, 0)] : GSTEX_SHARED_BIT;
    const uint64_t size = 2 + (uint64_t)group->channel_count;
    int k;
    GSTEX__REQUIRE(block[0] == GSTEX_SHARED_BIT, SHARED_WORD, -1, block[0], GSTEX_SHARED_BIT, 0);
    GSTEX__REQUIRE((first & (GSTEX_RAW_BIT | GSTEX_SHARED_BIT)) == 0, SHARED_FIRST, -1, 1, 0, 0);
    GSTEX__REQUIRE_RANGE(filter, FILTER, -1, 0, GSTEX_MAX_SIZE);
    GSTEX__REQUIRE_ROOM(size, BLOCK_ROOM, *position);
    for (k = 0; k < group->channel_count; ++k) GSTEX__REQUIRE(block[2 + k] >> 30 == 0, BEND, k, block[2 + k], 0, 0);
    *position += size;
    return 1;
}

static int gstex__check_mip(gstex__check *at, const gstex_group *group, int in_tail, uint64_t *position) {
    const uint32_t *block = at->words + *position;
    GSTEX__REQUIRE_ROOM((uint64_t)2, BLOCK_ROOM, *position);
    GSTEX__REQUIRE(block[0] >> 10 == 0, RESERVED_OF_BLOCK, -1, block[0] >> 10, 0, 0);
    if (block[0] & GSTEX_SHARED_BIT) return gstex__check_shared(at, group, in_tail, position);
    if (block[0] & GSTEX_RAW_BIT) return gstex__check_raw(at, group, position);
    return gstex__check_gaussians(at, group, position);
}

// The blocks of the tail of all groups, or those of the rest, which stand one after the other from *position on.
static int gstex__check_mips(gstex__check *at, const gstex_material *material, int in_tail, uint64_t *position) {
    int m;
    for (at->group = 0; at->group < material->group_count; ++at->group) {
        const gstex_group *group = &material->groups[at->group];
        for (m = in_tail ? material->tail : 0; m < material->mip_count; ++m) {
            const uint32_t offset = in_tail ? gstex__tail_block(group, m) : gstex__whole_block(group, m);
            if (!in_tail && m >= material->tail && offset == gstex__tail_block(group, m)) continue;
            if (in_tail)
                GSTEX__REQUIRE(offset == *position, TAIL_OFFSET, m - material->tail, offset, *position, 0);
            else
                GSTEX__REQUIRE(offset == *position, MIP_OFFSET, m, offset, *position, 0);
            at->mip = m;
            if (!in_tail && m >= material->tail)
                GSTEX__REQUIRE(*position < at->end && (at->words[*position] & GSTEX_SHARED_BIT), TAIL_SHARED, m, offset,
                               gstex__tail_block(group, m), 0);
            if (!gstex__check_mip(at, group, in_tail, position)) return 0;
            at->mip = -1;
        }
    }
    at->group = -1;
    return 1;
}

// The largest number of candidates of mips first .. of a group.
static uint32_t gstex__most_from(const gstex_group *group, int first, uint32_t *scratch) {
    uint32_t most = 0;
    int m;
    for (m = first; m < group->mip_count; ++m) {
        gstex_mip mip;
        uint32_t found;
        gstex_get_mip(group, m, &mip);
        if (mip.kind != GSTEX_GAUSSIANS) continue;
        found = gstex__most_candidates(group, m, scratch);
        if (found > most) most = found;
    }
    return most;
}

// The same of all mips of a group that are here, those of the tail included.
static uint32_t gstex__most_of_group(const gstex_material *material, int group, uint32_t *scratch) {
    const gstex_group tail = gstex__tail_of(&material->groups[group]);
    const uint32_t in_tail = material->tail < material->mip_count ? gstex__most_from(&tail, material->tail, scratch) : 0;
    const uint32_t whole =
        material->first_mip > 0 ? 0 : gstex__most_from(&material->groups[group], 0, scratch);
    return whole > in_tail ? whole : in_tail;
}

static int gstex__check_candidates(gstex__check *at, const gstex_material *material, uint32_t *scratch) {
    for (at->group = 0; at->group < material->group_count; ++at->group) {
        const uint32_t stated = (uint32_t)material->groups[at->group].candidates_max;
        const uint32_t most = gstex__most_of_group(material, at->group, scratch);
        // In a resident part alone the most may be that of a mip which is not here.
        GSTEX__REQUIRE(stated == most || (material->first_mip > 0 && stated > most), CANDIDATES_MAX, -1, stated, most, 0);
    }
    at->group = -1;
    return 1;
}

GSTEX_API int gstex_validate(const uint32_t *words, size_t word_count, uint32_t *scratch, size_t scratch_words,
                             gstex_material *material, gstex_error *error) {
    gstex__check check = gstex__check_of(words, error), *at = &check;
    uint64_t position, i;
    size_t need;
    if (!gstex__check_header(at, word_count, material)) return 0;
    position = words[1] >> 16;
    for (at->group = 0; at->group < material->group_count; ++at->group) {
        if (!gstex__check_group_header(at, material, &position)) return 0;
        if (!gstex__check_palettes(at, &material->groups[at->group], &position)) return 0;
    }
    at->group = -1;
    if (material->tail < material->mip_count) {
        const uint32_t resident = material->resident_words;
        const uint32_t align = GSTEX_ALIGN_WORDS;
        if (!gstex__check_mips(at, material, 1, &position)) return 0;
        GSTEX__REQUIRE(position / align * align + align == resident, RESIDENT_END, -1, resident,
                       position / align * align + align, 0);
        for (i = position; i < resident; ++i) GSTEX__REQUIRE(words[i] == 0, GUARD, -1, words[i], 0, 0);
        position = resident;
        at->end = words[4] - 1;
    }
    if (material->first_mip == 0) {
        if (!gstex__check_mips(at, material, 0, &position)) return 0;
        GSTEX__REQUIRE(position == at->end, LEFT_OVER, -1, at->end + 1, position + 1, 0);
        GSTEX__REQUIRE(words[at->end] == 0, GUARD, -1, words[at->end], 0, 0);
    }
    need = gstex_scratch_words(words, word_count);
    GSTEX__REQUIRE(need <= scratch_words, SCRATCH, -1, scratch_words, need, 0);
    return gstex__check_candidates(at, material, scratch);
}

GSTEX_API int gstex_load(const void *data, size_t bytes, uint32_t *scratch, size_t scratch_words, gstex_material *material,
                         gstex_error *error) {
    gstex_file file;
    return gstex_read(data, bytes, &file, error) &&
           gstex_validate(file.words, file.word_count, scratch, scratch_words, material, error);
}

// ==== Uploading =====================================================================================================

GSTEX_API uint32_t gstex_upload_words(const gstex_material *material) {
    const uint32_t align = GSTEX_ALIGN_WORDS;
    if (material->first_mip > 0) return material->resident_words;
    return (material->word_count + align - 1) / align * align;
}

GSTEX_API void gstex_set_first_mip(uint32_t *words, int32_t first_mip) {
    words[3] = (words[3] & ~(15u << 26)) | (uint32_t)first_mip << 26;
}

GSTEX_API void gstex_write_words(const gstex_material *material, uint32_t *to) {
    const uint32_t all = gstex_upload_words(material), used = material->first_mip > 0 ? all : material->word_count;
    uint32_t head[4], i;
    for (i = 0; i < 4; ++i) head[i] = material->words[i];
    gstex_set_first_mip(head, material->first_mip);
    for (i = 0; i < 4; ++i) to[i] = head[i];
    for (; i < used; ++i) to[i] = material->words[i];
    for (; i < all; ++i) to[i] = 0;
}

GSTEX_API uint32_t gstex_add_to_pool(gstex_pool *pool, const gstex_material *material) {
    const uint32_t base = pool->words, words = gstex_upload_words(material);
    const int32_t vec4s = (material->channel_count + 3) / 4;
    int g;
    if (words > 0x7FFFFFFFu - base) return 0xFFFFFFFFu;
    pool->count += 1;
    pool->words += words;
    pool->resident_words += material->tail < material->mip_count ? material->resident_words : words;
    if (pool->vec4s < vec4s) pool->vec4s = vec4s;
    for (g = 0; g < material->group_count; ++g)
        if (pool->max_k < material->groups[g].top_k) pool->max_k = material->groups[g].top_k;
    if (pool->width < material->width) pool->width = material->width;
    if (pool->height < material->height) pool->height = material->height;
    if (pool->mip_count < material->mip_count) pool->mip_count = material->mip_count;
    if (pool->candidates_max < material->candidates_max) pool->candidates_max = material->candidates_max;
    return base;
}

GSTEX_API int gstex_upload_rects(uint32_t base, uint32_t words, uint32_t width, gstex_upload_rect rects[3]) {
    uint32_t done = 0;
    int count = 0;
    while (width > 0 && done < words) {
        gstex_upload_rect *rect = &rects[count++];
        const uint32_t left = words - done;
        rect->first = done;
        rect->x = (base + done) % width;
        rect->y = (base + done) / width;
        rect->width = left < width - rect->x ? left : width - rect->x;
        rect->height = rect->width == width ? left / width : 1; // all whole rows at once
        done += rect->width * rect->height;
    }
    return count;
}

// ==== Channels ======================================================================================================

// A channel of a role among the first `count`.
static int32_t gstex__find_among(const gstex_material *material, int32_t count, int32_t role, int32_t component) {
    int32_t c;
    for (c = 0; c < material->channel_count && c < count; ++c) {
        const gstex_channel *channel = &material->channels[c];
        const int grey = channel->component == GSTEX_ONLY && component >= GSTEX_RED && component <= GSTEX_BLUE;
        if (channel->role == role && (component == GSTEX_ONLY || component == channel->component || grey)) return c;
    }
    return -1;
}

GSTEX_API int32_t gstex_find(const gstex_material *material, gstex_role role, gstex_component component) {
    return gstex__find_among(material, GSTEX_MAX_CHANNELS, (int32_t)role, (int32_t)component);
}

GSTEX_API void gstex_find_channels(const gstex_material *material, int32_t vec4s, gstex_channels *channels) {
    static const gstex_channels none = {{-1, -1, -1}, 0, {-1, -1, -1}, 0, {-1, -1}, 0, -1, -1, -1, -1, -1, -1, {0, 0, 0}};
    const int32_t count = 4 * vec4s;
    const int32_t base = gstex__find_among(material, count, GSTEX_ALBEDO, GSTEX_RED) < 0 ? GSTEX_COLOR : GSTEX_ALBEDO;
    int i;
    *channels = none;
    for (i = 0; i < 3; ++i) {
        channels->albedo[i] = gstex__find_among(material, count, base, GSTEX_RED + i);
        channels->emissive[i] = gstex__find_among(material, count, GSTEX_EMISSIVE, GSTEX_RED + i);
    }
    for (i = 0; i < 2; ++i) channels->normal[i] = gstex__find_among(material, count, GSTEX_NORMAL, GSTEX_X + i);
    if (channels->normal[1] >= 0) channels->normal_directx = (uint32_t)material->channels[channels->normal[1]].flipped;
    channels->roughness = gstex__find_among(material, count, GSTEX_ROUGHNESS, GSTEX_ONLY);
    channels->gloss = gstex__find_among(material, count, GSTEX_GLOSS, GSTEX_ONLY);
    channels->metallic = gstex__find_among(material, count, GSTEX_METALLIC, GSTEX_ONLY);
    channels->ao = gstex__find_among(material, count, GSTEX_AO, GSTEX_ONLY);
    channels->opacity = gstex__find_among(material, count, GSTEX_OPACITY, GSTEX_ONLY);
    channels->height = gstex__find_among(material, count, GSTEX_HEIGHT, GSTEX_ONLY);
    if (channels->opacity >= 0 && material->channels[channels->opacity].group < 0) channels->opacity = -1;
}

static gstex_unit gstex__find_unit(const gstex_material *material, int32_t c) {
    gstex_unit unit = {1.0f, 0.0f, 0.0f, 0};
    if (c >= 0) {
        const gstex_channel *channel = &material->channels[c];
        unit.scale = channel->scale;
        unit.bias = channel->bias;
        unit.stops = channel->stops;
        unit.srgb = (uint32_t)channel->srgb;
    }
    return unit;
}

GSTEX_API void gstex_find_units(const gstex_material *material, const gstex_channels *channels, gstex_units *units) {
    int i;
    for (i = 0; i < 3; ++i) {
        units->albedo[i] = gstex__find_unit(material, channels->albedo[i]);
        units->emissive[i] = gstex__find_unit(material, channels->emissive[i]);
    }
    units->height = gstex__find_unit(material, channels->height);
}

GSTEX_API float gstex_source_value(const gstex_channel *channel, float value) {
    const float steps = channel->stops > 0.0f ? gstex_exp2(channel->stops * value) - 1.0f : value;
    return channel->bias + channel->scale * steps;
}

#endif // GSTEX__ON_GPU

// ==== Decoding: "Decoding a position" of docs/format.md =============================================================
// Texels are decoded a tile at a time, so that a record is read once for all texels of the tile that see it. A tile of one
// texel is a fetch, one of one point a sample. For each texel the order of all sums is that of the document, whatever the
// tile, so that all give the same bits.

enum { GSTEX__SIDE = 8, GSTEX__TILE = 64 }; // texels along an edge of a tile, and in it

// A mip to be decoded.
typedef struct gstex__view {
    const gstex_group *group;
    const uint32_t *words;
    int32_t width, height;         // of the mip
    float own_width, own_height;   // of the mip whose Gaussians these are
    float variance;                // of the filter of a shared mip
    int32_t level_count;
    uint32_t background, entries;  // words of the first background value and the first level's entry
    uint32_t texels;               // word of the first texel of a raw mip; 0 in others
    int32_t bent;                  // 1: values are bent
    float bend[GSTEX_MAX_CHANNELS][3];
    int32_t texel_stride, slot[GSTEX_MAX_CHANNELS]; // where values go: floats from a texel to the next, places in it
    // Of the channels, filled up with zeros to a multiple of four:
    int32_t lanes;
    float lo[GSTEX_MAX_CHANNELS], step[GSTEX_MAX_CHANNELS];
    int32_t own_bits[GSTEX_MAX_CHANNELS], own_channels; // the number of those whose codes records hold
} gstex__view;

// A level to be decoded.
typedef struct gstex__grid {
    gstex_level level;
    float cell_width, cell_height;      // in texels of the mip whose Gaussians these are
    float step_x, step_y;               // of positions, in cells
    float half_turn, turn_step;         // of tangents of half the rotation
} gstex__grid;

// Gaussians whose records are read together, so that compilers make vectors of their numbers.
typedef struct gstex__batch {
    int32_t count;
    uint64_t bit[GSTEX__SIDE]; // where the record starts
    const float *from_x[GSTEX__SIDE], *fade_x[GSTEX__SIDE]; // of the columns of the tile, see gstex__seen
    float from_y[GSTEX__SIDE], fade_y[GSTEX__SIDE];         // of the row, in a tile of one texel
    // From the record:
    float x[GSTEX__SIDE], y[GSTEX__SIDE];           // in its cell, in cells
    float cosine[GSTEX__SIDE], sine[GSTEX__SIDE];   // of its rotation
    float along[GSTEX__SIDE], across[GSTEX__SIDE];  // inverse scales times GSTEX_UNIT
    float amplitude[GSTEX__SIDE];                   // times log2(e)
} gstex__batch;

// Columns or rows of a tile along one axis: texels, or one point.
typedef struct gstex__axis {
    int32_t count;
    int32_t texel[GSTEX__SIDE]; // in rising order; beyond the border by up to one period where the texture repeats
    double point;               // in 0 .. 1 across the texture; below 0 if these are texels
    // In the level at hand:
    int32_t cell[GSTEX__SIDE];  // cells beyond the border are numbered on
    float inside[GSTEX__SIDE];  // the place in the cell, in cells
} gstex__axis;

typedef struct gstex__tile {
    gstex__axis columns, rows;
    float weight[GSTEX__TILE];                     // sums over the Gaussians so far
    float value[GSTEX_MAX_CHANNELS][GSTEX__TILE];  // of the channels that vary
    float one[GSTEX_MAX_CHANNELS];                 // the same, of a tile of one texel
    // With a K, for tiles of one texel: the heaviest Gaussians so far, and the bits where their palette entries start.
    int32_t kept;
    float kept_weight[GSTEX_MAX_TOP_K];
    uint64_t kept_bit[GSTEX_MAX_TOP_K];
} gstex__tile;

// The cells that columns see, from left to right.
typedef struct gstex__seen {
    int32_t count;
    int32_t cell[3 * GSTEX__SIDE];
    float from[3 * GSTEX__SIDE][GSTEX__SIDE]; // the place of each column from the corner of the cell, in cells
    float fade[3 * GSTEX__SIDE][GSTEX__SIDE]; // 0 in the columns that do not see it
} gstex__seen;

#ifndef GSTEX__ON_GPU

static void gstex__open_view(const gstex_group *group, int mip, gstex__view *view) {
    const uint32_t *words = group->words;
    uint32_t block;
    int32_t k;
    block = gstex__block(group, mip);
    view->group = group;
    view->words = words;
    view->width = gstex__mip_size(group->width, mip);
    view->height = gstex__mip_size(group->height, mip);
    view->own_width = (float)view->width;
    view->own_height = (float)view->height;
    view->variance = 0.0f;
    view->texels = 0;
    view->bent = 0;
    if (words[block] & GSTEX_RAW_BIT) view->texels = block + 2;
    if (words[block] & GSTEX_SHARED_BIT) {
        const float filter = gstex__to_float(words[block + 1]);
        view->own_width = (float)group->width;
        view->own_height = (float)group->height;
        view->variance = filter * filter;
        view->bent = 1;
        gstex__read_bend(words + block + 2, group->channel_count, view->bend);
        block = gstex__block(group, 0);
    }
    view->level_count = gstex__int_bits(words[block], 0, 8);
    view->background = block + 2;
    view->entries = block + 2 + (uint32_t)group->channel_count;
    view->lanes = 4 * (int32_t)group->entry_words;
    view->texel_stride = group->channel_count;
    view->own_channels = 0;
    for (k = 0; k < view->lanes; ++k) {
        const int there = k < group->channel_count;
        view->lo[k] = there ? group->channel_lo[k] : 0.0f;
        view->step[k] = there ? group->channel_step[k] : 0.0f;
        view->own_bits[k] = there ? group->channel_bits[k] : 0;
        view->slot[k] = k;
        if (view->own_bits[k]) ++view->own_channels;
    }
}

// Makes a view write its values among those of all channels of the material.
static void gstex__spread(const gstex_material *material, gstex__view *view) {
    int k;
    view->texel_stride = material->channel_count;
    for (k = 0; k < view->group->channel_count; ++k) view->slot[k] = view->group->channel[k];
}

static void gstex__open_grid(const gstex__view *view, int level, gstex__grid *grid) {
    gstex__read_level(view->words + view->entries + GSTEX_LEVEL_ENTRY_WORDS * level, &grid->level);
    grid->cell_width = view->own_width / (float)grid->level.cells_x;
    grid->cell_height = view->own_height / (float)grid->level.cells_y;
    grid->step_x = 1.0f / (float)(1 << grid->level.position_x_bits);
    grid->step_y = 1.0f / (float)(1 << grid->level.position_y_bits);
    grid->half_turn = 0.5f * (float)(1 << grid->level.rotation_bits);
    grid->turn_step = (float)GSTEX_TAN_22_5 / grid->half_turn;
}

#endif // GSTEX__ON_GPU

// The value of a channel as it is written.
GSTEX__INLINE float gstex__finish(const gstex__view *view, int k, float value) {
    value = gstex_saturate(value);
    return view->bent ? gstex_bend(value, view->bend[k][0], view->bend[k][1], view->bend[k][2]) : value;
}

GSTEX__INLINE void gstex__set_texels(gstex__axis *axis, int32_t first, int32_t count) {
    int32_t i;
    axis->point = -1.0;
    axis->count = count;
    for (i = 0; i < count; ++i) axis->texel[i] = first + i;
    for (; i < GSTEX__SIDE; ++i) axis->texel[i] = 0;
}

// Cells and places of an axis in a level of `cells` cells; size: texels of the mip.
GSTEX__INLINE void gstex__locate(gstex__axis *axis, int32_t cells, int32_t size) {
    int32_t i;
    if (axis->point >= 0.0) {
        const double place = axis->point * (double)cells;
        axis->cell[0] = (int32_t)place < cells - 1 ? (int32_t)place : cells - 1;
        axis->inside[0] = (float)(place - (double)axis->cell[0]);
        return;
    }
    for (i = 0; i < axis->count; ++i) {
        const int32_t scaled = (2 * axis->texel[i] + 1) * cells;
        axis->cell[i] = scaled / (2 * size);
        axis->inside[i] = (float)(scaled % (2 * size)) / (float)(2 * size);
    }
    for (; axis->count > 1 && i < GSTEX__SIDE; ++i) { // no texels, but computed along with the others
        axis->cell[i] = axis->cell[i - 1];
        axis->inside[i] = axis->inside[i - 1];
    }
}

// The next cell, from `cell` on, that one of the columns or rows sees; *first and *end become those that see it. Returns
// 0 if there is none.
GSTEX__INLINE int gstex__next_seen(const gstex__axis *axis, int32_t *cell, int32_t *first, int32_t *end) {
    while (*first < axis->count && axis->cell[*first] < *cell - 1) ++*first;
    if (*first == axis->count) return 0;
    if (axis->cell[*first] > *cell + 1) *cell = axis->cell[*first] - 1;
    *end = *first;
    while (*end < axis->count && axis->cell[*end] <= *cell + 1) ++*end;
    return 1;
}

// The cell of the texture that a cell beyond its border is, or -1 if there is none.
GSTEX__INLINE int32_t gstex__wrap_cell(int32_t cell, int32_t cells, int32_t repeat) {
    if (cell >= 0 && cell < cells) return cell;
    if (!repeat) return -1;
    return cell < 0 ? cell + cells : cell - cells;
}

// Where a column or row is, from the corner of a cell, in cells.
GSTEX__INLINE float gstex__from_cell(const gstex__axis *axis, int32_t i, int32_t cell) {
    return axis->inside[i] - (float)(cell - axis->cell[i]);
}

GSTEX__INLINE void gstex__see_columns(const gstex__axis *columns, const int width, gstex__seen *seen) {
    int32_t cell = columns->cell[0] - 1, first = 0, end, i;
    seen->count = 0;
    for (; gstex__next_seen(columns, &cell, &first, &end); ++cell) {
        float *from = seen->from[seen->count], *fade = seen->fade[seen->count];
        for (i = 0; i < width; ++i) from[i] = gstex__from_cell(columns, i, cell);
        for (i = 0; i < width; ++i) fade[i] = gstex_fade(from[i] - 0.5f);
        seen->cell[seen->count++] = cell;
    }
}

// Number of Gaussians of a level before a cell.
GSTEX__INLINE uint32_t gstex__start(const uint32_t *words, const gstex_level *level, uint32_t cell) {
    const uint32_t inside = cell % GSTEX_GROUP_CELLS;
    const uint32_t *group;
    uint64_t counts;
    if (level->regular) return cell;
    group = words + level->index_offset + 3 * (size_t)(cell / GSTEX_GROUP_CELLS);
    if (group[0] >> 31) {
        const uint32_t pair = words[level->index_offset + group[1] + (inside >> 1)];
        return (group[0] & 0x7FFFFFFFu) + (pair >> 16 * (inside & 1u) & 0xFFFFu);
    }
    counts = (group[1] | (uint64_t)group[2] << 32) & (((uint64_t)1 << 4 * inside) - 1u);
    counts = (counts & 0x0F0F0F0F0F0F0F0Fu) + (counts >> 4 & 0x0F0F0F0F0F0F0F0Fu); // two cells in a byte
    return group[0] + (uint32_t)(counts * 0x0101010101010101u >> 56);
}

// 33 bits or more from a bit on, lowest first. The guard word is why the second word may always be loaded.
GSTEX__INLINE uint64_t gstex__window(const uint32_t *words, uint64_t bit) {
    const uint32_t *at = words + (bit >> 5);
    return (at[0] | (uint64_t)at[1] << 32) >> (bit & 31u);
}

GSTEX__INLINE float gstex__take(uint64_t *window, int32_t bits) {
    const uint32_t code = (uint32_t)*window & ((1u << bits) - 1u);
    *window >>= bits;
    return (float)code;
}

// Reads the geometry of the records of a batch. Two words hold all of it, by the rule for geometry bits.
GSTEX__INLINE void gstex__read_geometry(const gstex__view *view, const gstex__grid *grid, gstex__batch *batch) {
    const gstex_level *level = &grid->level;
    const float lo = level->scale_lo, step = level->scale_step;
    const float amplitude_lo = view->group->amplitude_lo, amplitude_step = view->group->amplitude_step;
    float turn[GSTEX__SIDE];
    int i;
    for (i = 0; i < batch->count; ++i) {
        uint64_t window = gstex__window(view->words, batch->bit[i]);
        batch->x[i] = gstex__take(&window, level->position_x_bits);
        batch->y[i] = gstex__take(&window, level->position_y_bits);
        turn[i] = gstex__take(&window, level->rotation_bits);
        batch->along[i] = gstex__take(&window, level->scale_bits);
        batch->across[i] = gstex__take(&window, level->scale_bits);
        batch->amplitude[i] = gstex__take(&window, level->amplitude_bits);
        if (level->rotation_bits == 0) turn[i] = grid->half_turn; // none
    }
    for (; i < GSTEX__SIDE; ++i) {
        batch->x[i] = batch->y[i] = batch->along[i] = batch->across[i] = batch->amplitude[i] = 0.0f;
        turn[i] = grid->half_turn;
    }
    for (i = 0; i < GSTEX__SIDE; ++i) {
        const float h = gstex_half_angle(turn[i], grid->half_turn, grid->turn_step);
        const float norm = 1.0f / (1.0f + h * h);
        batch->cosine[i] = gstex_cosine(h, norm);
        batch->sine[i] = gstex_sine(h, norm);
        batch->x[i] = gstex_position(batch->x[i], grid->step_x);
        batch->y[i] = gstex_position(batch->y[i], grid->step_y);
        batch->amplitude[i] = gstex_value(amplitude_lo, amplitude_step, batch->amplitude[i]) * GSTEX_LOG2E;
    }
    for (i = 0; i < GSTEX__SIDE; ++i) batch->along[i] = gstex_exp2(gstex_value(lo, step, batch->along[i]));
    for (i = 0; i < GSTEX__SIDE; ++i) batch->across[i] = gstex_exp2(gstex_value(lo, step, batch->across[i]));
    if (view->variance > 0.0f)
        for (i = 0; i < GSTEX__SIDE; ++i) {
            batch->along[i] = gstex_widened(batch->along[i], view->variance);
            batch->across[i] = gstex_widened(batch->across[i], view->variance);
        }
    for (i = 0; i < GSTEX__SIDE; ++i) {
        batch->along[i] *= GSTEX_UNIT;
        batch->across[i] *= GSTEX_UNIT;
    }
}

// The features of the channels that vary, of the record whose palette entries start at a bit.
GSTEX__INLINE void gstex__read_features(const gstex__view *view, uint64_t bit, float *features) {
    const gstex_group *group = view->group;
    const uint32_t *palette = view->words + group->palette_offset, *entries[GSTEX_MAX_PALETTES];
    int32_t codes[GSTEX_MAX_CHANNELS];
    uint64_t window = 0;
    int p, k;
    for (p = 0; p < group->palette_count; ++p) {
        const int32_t bits = group->palette_bits[p];
        if ((p & 1) == 0) window = gstex__window(view->words, bit); // for two numbers, of 12 bits at most
        entries[p] = palette + ((uint32_t)window & ((1u << bits) - 1u)) * group->entry_words;
        palette += group->entry_words << bits;
        window >>= bits;
        bit += (uint32_t)bits;
    }
    for (k = 0; k < view->lanes; k += 4) {
        uint32_t even = 0, odd = 0; // two codes of 16 bits each
        for (p = 0; p < group->palette_count; ++p) {
            const uint32_t bytes = entries[p][k >> 2];
            even += bytes & 0x00FF00FFu;
            odd += bytes >> 8 & 0x00FF00FFu;
        }
        codes[k] = (int32_t)(even & 0xFFFFu);
        codes[k + 1] = (int32_t)(odd & 0xFFFFu);
        codes[k + 2] = (int32_t)(even >> 16);
        codes[k + 3] = (int32_t)(odd >> 16);
    }
    for (k = 0; view->own_channels > 0 && k < view->lanes; ++k) {
        const int32_t bits = view->own_bits[k];
        if (bits) codes[k] += (int32_t)((uint32_t)gstex__window(view->words, bit) & ((1u << bits) - 1u));
        bit += (uint32_t)bits;
    }
    for (k = 0; k < view->lanes; ++k) features[k] = gstex_value(view->lo[k], view->step[k], (float)codes[k]);
}

#ifndef GSTEX__ON_GPU // what follows is not for it

// Puts a Gaussian among the top_k heaviest, of equal ones the first in the file first.
static void gstex__keep(gstex__tile *tile, int32_t top_k, float weight, uint64_t bit) {
    int32_t at = tile->kept;
    for (; at > 0; --at) {
        const float other = tile->kept_weight[at - 1];
        if (other > weight || (other == weight && tile->kept_bit[at - 1] < bit)) break;
        if (at < top_k) {
            tile->kept_weight[at] = other;
            tile->kept_bit[at] = tile->kept_bit[at - 1];
        }
    }
    if (at >= top_k) return;
    tile->kept_weight[at] = weight;
    tile->kept_bit[at] = bit;
    if (tile->kept < top_k) ++tile->kept;
}

// Adds a batch to a tile of rows first_row .. end_row - 1; from_y, fade_y: of these rows. width, keeps: see below.
GSTEX__INLINE void gstex__add_batch(const gstex__view *view, const gstex__grid *grid, const int width, const int keeps,
                                    int32_t first_row, int32_t end_row, const float *from_y, const float *fade_y,
                                    gstex__batch *batch, gstex__tile *tile) {
    const int channels = view->group->channel_count;
    const uint32_t geometry = (uint32_t)gstex__geometry_bits(&grid->level);
    float features[GSTEX_MAX_CHANNELS], weight[GSTEX__SIDE];
    int32_t n, j, i;
    int k;
    gstex__read_geometry(view, grid, batch);
    if (width == 1) { // a lane is a Gaussian
        float from_x[GSTEX__SIDE] = {0.0f}, fade_x[GSTEX__SIDE] = {0.0f};
        for (n = 0; n < batch->count; ++n) {
            from_x[n] = batch->from_x[n][0];
            fade_x[n] = batch->fade_x[n][0];
        }
        for (n = 0; n < GSTEX__SIDE; ++n) {
            const float dx = (from_x[n] - batch->x[n]) * grid->cell_width;
            const float dy = (batch->from_y[n] - batch->y[n]) * grid->cell_height;
            const float sine = batch->sine[n], cosine = batch->cosine[n];
            const float u = batch->along[n] * (cosine * dx + sine * dy);
            const float v = batch->across[n] * (cosine * dy - sine * dx);
            weight[n] = gstex_weight(batch->amplitude[n], u, v) * (fade_x[n] * batch->fade_y[n]);
        }
        for (n = 0; n < batch->count; ++n) {
            if (keeps) {
                gstex__keep(tile, view->group->top_k, weight[n], batch->bit[n] + geometry);
                continue;
            }
            gstex__read_features(view, batch->bit[n] + geometry, features);
            tile->weight[0] += weight[n];
            for (k = 0; k < view->lanes; ++k) tile->one[k] += weight[n] * features[k];
        }
        batch->count = 0;
        return;
    }
    for (n = 0; n < batch->count; ++n) { // a lane is a column
        const float *from_x = batch->from_x[n], *fade_x = batch->fade_x[n];
        const float along = batch->along[n], across = batch->across[n], amplitude = batch->amplitude[n];
        const float sine = batch->sine[n], cosine = batch->cosine[n], x = batch->x[n];
        gstex__read_features(view, batch->bit[n] + geometry, features);
        for (j = first_row; j < end_row; ++j) {
            const float dy = (from_y[j] - batch->y[n]) * grid->cell_height, fade = fade_y[j];
            float *sum = tile->weight + GSTEX__SIDE * j;
            for (i = 0; i < GSTEX__SIDE; ++i) {
                const float dx = (from_x[i] - x) * grid->cell_width;
                const float u = along * (cosine * dx + sine * dy), v = across * (cosine * dy - sine * dx);
                weight[i] = gstex_weight(amplitude, u, v) * (fade_x[i] * fade);
            }
            GSTEX__LANES for (i = 0; i < GSTEX__SIDE; ++i) sum[i] += weight[i];
            for (k = 0; k < channels; ++k) {
                float *value = tile->value[k] + GSTEX__SIDE * j;
                GSTEX__LANES for (i = 0; i < GSTEX__SIDE; ++i) value[i] += weight[i] * features[k];
            }
        }
    }
    batch->count = 0;
}

// Adds all Gaussians of a level. width: 1 for a tile of one texel, else GSTEX__SIDE columns, whether they exist or not.
// keeps: whether they are kept for a K instead. Both are constants wherever it is called.
GSTEX__INLINE void gstex__add_level(const gstex__view *view, const gstex__grid *grid, const int width, const int keeps,
                                    gstex__tile *tile) {
    const gstex_level *level = &grid->level;
    const int32_t repeat = view->group->repeat;
    const uint64_t records = (uint64_t)level->record_offset * 32;
    gstex__seen seen;
    gstex__batch batch;
    float from_y[GSTEX__SIDE] = {0.0f}, fade_y[GSTEX__SIDE] = {0.0f};
    int32_t y, first_row = 0, end_row = 1, s, j;
    batch.count = 0;
    for (j = 0; j < GSTEX__SIDE; ++j) batch.from_y[j] = batch.fade_y[j] = 0.0f;
    gstex__locate(&tile->columns, level->cells_x, view->width);
    gstex__locate(&tile->rows, level->cells_y, view->height);
    gstex__see_columns(&tile->columns, width, &seen);
    for (y = tile->rows.cell[0] - 1; gstex__next_seen(&tile->rows, &y, &first_row, &end_row); ++y) {
        const int32_t row = gstex__wrap_cell(y, level->cells_y, repeat);
        uint32_t next_cell = 0, next = 0; // how many Gaussians stand before the cell after the last one
        if (row < 0) continue;
        for (j = first_row; j < end_row; ++j) {
            from_y[j] = gstex__from_cell(&tile->rows, j, y);
            fade_y[j] = gstex_fade(from_y[j] - 0.5f);
        }
        for (s = 0; s < seen.count; ++s) {
            const int32_t column = gstex__wrap_cell(seen.cell[s], level->cells_x, repeat);
            uint32_t cell, r, end;
            if (column < 0) continue;
            cell = (uint32_t)row * (uint32_t)level->cells_x + (uint32_t)column;
            r = cell == next_cell ? next : gstex__start(view->words, level, cell);
            end = gstex__start(view->words, level, cell + 1);
            next_cell = cell + 1;
            next = end;
            for (; r < end; ++r) {
                batch.bit[batch.count] = records + (uint64_t)r * (uint32_t)level->stride;
                batch.from_x[batch.count] = seen.from[s];
                batch.fade_x[batch.count] = seen.fade[s];
                batch.from_y[batch.count] = from_y[first_row];
                batch.fade_y[batch.count] = fade_y[first_row];
                if (++batch.count == GSTEX__SIDE)
                    gstex__add_batch(view, grid, width, keeps, first_row, end_row, from_y, fade_y, &batch, tile);
            }
        }
        if (width > 1 && batch.count > 0)
            gstex__add_batch(view, grid, width, keeps, first_row, end_row, from_y, fade_y, &batch, tile);
    }
    if (batch.count > 0) gstex__add_batch(view, grid, width, keeps, 0, 1, from_y, fade_y, &batch, tile);
}

static void gstex__add_wide(const gstex__view *view, const gstex__grid *grid, gstex__tile *tile) {
    gstex__add_level(view, grid, GSTEX__SIDE, 0, tile);
}
static void gstex__add_one(const gstex__view *view, const gstex__grid *grid, gstex__tile *tile) {
    gstex__add_level(view, grid, 1, 0, tile);
}
static void gstex__keep_one(const gstex__view *view, const gstex__grid *grid, gstex__tile *tile) {
    gstex__add_level(view, grid, 1, 1, tile);
}


// The values of a tile of Gaussians: those of a texel side by side, `step` floats from a row to the next. With a K the
// tile is one texel.
static void gstex__blend(const gstex__view *view, gstex__tile *tile, float *out, size_t step) {
    const gstex_group *group = view->group;
    const int32_t columns = tile->columns.count, rows = tile->rows.count;
    gstex__grid grid;
    int32_t i, j, k;
    int l;
    tile->kept = 0;
    for (i = 0; i < GSTEX__SIDE * rows; ++i) tile->weight[i] = GSTEX_BACKGROUND_WEIGHT;
    for (k = 0; k < view->lanes; ++k) tile->one[k] = 0.0f;
    for (k = 0; k < group->channel_count; ++k) {
        const float background = gstex__to_float(view->words[view->background + (uint32_t)k]);
        tile->one[k] = GSTEX_BACKGROUND_WEIGHT * background;
        for (i = 0; columns * rows > 1 && i < GSTEX__SIDE * rows; ++i) tile->value[k][i] = tile->one[k];
    }
    for (l = 0; l < view->level_count; ++l) {
        gstex__open_grid(view, l, &grid);
        if (group->top_k)
            gstex__keep_one(view, &grid, tile);
        else if (columns * rows == 1)
            gstex__add_one(view, &grid, tile);
        else
            gstex__add_wide(view, &grid, tile);
    }
    for (i = 0; i < tile->kept; ++i) {
        float features[GSTEX_MAX_CHANNELS];
        gstex__read_features(view, tile->kept_bit[i], features);
        tile->weight[0] += tile->kept_weight[i];
        for (k = 0; k < view->lanes; ++k) tile->one[k] += tile->kept_weight[i] * features[k];
    }
    for (j = 0; j < rows; ++j)
        for (i = 0; i < columns; ++i) {
            float *values = out + step * (size_t)j + (size_t)(view->texel_stride * i);
            const int32_t at = GSTEX__SIDE * j + i;
            for (k = 0; k < group->channel_count; ++k) {
                const float sum = columns * rows > 1 ? tile->value[k][at] : tile->one[k];
                values[view->slot[k]] = gstex__finish(view, k, sum / tile->weight[at]);
            }
        }
}

// A texel inside a raw mip.
static void gstex__read_texel(const gstex__view *view, int32_t x, int32_t y, float *values) {
    const gstex_group *group = view->group;
    const uint32_t *texel = view->words + view->texels + ((size_t)y * (size_t)view->width + (size_t)x) * group->entry_words;
    int k;
    for (k = 0; k < group->channel_count; ++k)
        values[view->slot[k]] = (float)(texel[k >> 2] >> 8 * (k & 3) & 255u) / 255.0f;
}

// A texel inside the mip, for one that may lie beyond its border.
static int32_t gstex__inside(int32_t texel, int32_t size, int32_t repeat) {
    if (repeat) return texel % size < 0 ? texel % size + size : texel % size;
    return texel < 0 ? 0 : texel < size ? texel : size - 1;
}

static void gstex__fetch_inside(const gstex__view *view, int32_t x, int32_t y, float *values) {
    gstex__tile tile;
    if (view->texels) {
        gstex__read_texel(view, x, y, values);
        return;
    }
    gstex__set_texels(&tile.columns, x, 1);
    gstex__set_texels(&tile.rows, y, 1);
    gstex__blend(view, &tile, values, 0);
}

// The mip that stands for one that is asked for.
static int gstex__inside_mips(const gstex_material *material, int mip) {
    if (mip < material->first_mip) return material->first_mip;
    return mip < material->mip_count ? mip : material->mip_count - 1;
}

static void gstex__write_constants(const gstex_material *material, float *values) {
    int c;
    for (c = 0; c < material->channel_count; ++c)
        if (material->channels[c].group < 0) values[c] = gstex_saturate(material->channels[c].constant);
}

GSTEX_API void gstex_fetch(const gstex_material *material, int mip, int32_t x, int32_t y, float *values) {
    gstex__view view;
    int g;
    mip = gstex__inside_mips(material, mip);
    x = gstex__inside(x, gstex__mip_size(material->width, mip), material->repeat);
    y = gstex__inside(y, gstex__mip_size(material->height, mip), material->repeat);
    gstex__write_constants(material, values);
    for (g = 0; g < material->group_count; ++g) {
        gstex__open_view(&material->groups[g], mip, &view);
        gstex__spread(material, &view);
        gstex__fetch_inside(&view, x, y, values);
    }
}

static void gstex__decode_group(const gstex__view *view, int32_t x, int32_t y, int32_t width, int32_t height,
                                float *texels, size_t row_stride) {
    const int32_t side = view->texels || view->group->top_k ? 1 : GSTEX__SIDE;
    gstex__tile tile;
    int32_t i, j;
    for (j = 0; j < height; j += side)
        for (i = 0; i < width; i += side) {
            float *to = texels + row_stride * (size_t)j + (size_t)view->texel_stride * (size_t)i;
            if (side == 1) {
                gstex__fetch_inside(view, x + i, y + j, to);
                continue;
            }
            gstex__set_texels(&tile.columns, x + i, width - i < side ? width - i : side);
            gstex__set_texels(&tile.rows, y + j, height - j < side ? height - j : side);
            gstex__blend(view, &tile, to, row_stride);
        }
}

// A rectangle inside a mip that is there. Groups without one of the channels whose bits are set are left out.
static void gstex__decode_inside(const gstex_material *material, uint32_t channels, int mip, int32_t x, int32_t y,
                                 int32_t width, int32_t height, float *texels, size_t row_stride) {
    int32_t i, j;
    int g;
    for (j = 0; j < height; ++j)
        for (i = 0; i < width; ++i)
            gstex__write_constants(material,
                                   texels + row_stride * (size_t)j + (size_t)material->channel_count * (size_t)i);
    for (g = 0; g < material->group_count; ++g) {
        gstex__view view;
        if (!(material->groups[g].members & channels)) continue;
        gstex__open_view(&material->groups[g], mip, &view);
        gstex__spread(material, &view);
        gstex__decode_group(&view, x, y, width, height, texels, row_stride);
    }
}

GSTEX_API int gstex_decode(const gstex_material *material, int mip, int32_t x, int32_t y, int32_t width, int32_t height,
                           float *texels, size_t row_stride) {
    mip = gstex__inside_mips(material, mip);
    if (x < 0 || y < 0 || width < 0 || height < 0 || width > gstex__mip_size(material->width, mip) - x ||
        height > gstex__mip_size(material->height, mip) - y)
        return 0;
    gstex__decode_inside(material, 0xFFFFu, mip, x, y, width, height, texels, row_stride);
    return 1;
}

// The nearest number of 16 bits; of two the one whose last bit is 0. What is too large becomes infinite.
static uint16_t gstex__to_half(float value) {
    gstex__float_bits from;
    uint32_t sign, bits, shift = 13, rest, half;
    from.value = value;
    sign = from.bits >> 16 & 0x8000u;
    bits = from.bits & 0x7FFFFFFFu;
    if (bits > 0x7F800000u) return (uint16_t)(sign | 0x7E00u); // no number
    if (bits >= 0x47800000u) return (uint16_t)(sign | 0x7C00u); // 2^16 and more
    if (bits < 0x33000000u) return (uint16_t)sign;              // below half of the least
    if (bits < 0x38800000u) { // below the normal numbers: all have the exponent of the least of them
        shift = 126 - (bits >> 23);
        bits = (bits & 0x7FFFFFu) | 0x800000u;
    } else {
        bits -= 0x38000000u; // the other bias of the exponent
    }
    half = bits >> shift;
    rest = bits & ((1u << shift) - 1u);
    if (rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1u))) ++half; // may carry into the exponent
    return (uint16_t)(sign | half);
}

// The number of a component: `from` is a member of gstex_texel_layout.source, values are those of a texel, done the
// components before this one.
static float gstex__component(const gstex_material *material, const gstex_texel_layout *layout, int number,
                              const float *values, const float *done) {
    const int32_t from = layout->source[number];
    if (from == GSTEX_NORMAL_Z) {
        const double x = 2.0 * (double)done[0] - 1.0, y = 2.0 * (double)done[1] - 1.0, square = 1.0 - x * x - y * y;
        return (float)(sqrt(square > 0.0 ? square : 0.0) * 0.5 + 0.5);
    }
    if (from < 0) return from == GSTEX_ONE || (from == GSTEX_MISSING && number == 3) ? 1.0f : 0.0f;
    if (from >= GSTEX_MAX_CHANNELS) return 1.0f - values[from - GSTEX_MAX_CHANNELS];
    return layout->source_units ? gstex_source_value(&material->channels[from], values[from]) : values[from];
}

// Bytes of a component, or 0 if the layout has no meaning for the material.
static size_t gstex__component_bytes(const gstex_material *material, const gstex_texel_layout *layout) {
    int i;
    if (layout->components < 1 || layout->components > 4) return 0;
    for (i = 0; i < layout->components; ++i) {
        const int32_t from = layout->source[i];
        if (from < GSTEX_NORMAL_Z || from >= 2 * GSTEX_MAX_CHANNELS) return 0;
        if (from >= 0 && from % GSTEX_MAX_CHANNELS >= material->channel_count) return 0;
        if (from == GSTEX_NORMAL_Z && (i < 2 || layout->source_units)) return 0;
    }
    if (layout->format == GSTEX_UNORM8) return layout->source_units ? 0 : 1;
    return layout->format == GSTEX_FLOAT16 ? 2 : layout->format == GSTEX_FLOAT32 ? 4 : 0;
}

static void gstex__write_texel(const gstex_material *material, const gstex_texel_layout *layout, const float *values,
                               unsigned char *to) {
    float done[4];
    int i;
    for (i = 0; i < layout->components; ++i) {
        done[i] = gstex__component(material, layout, i, values, done);
        if (layout->format == GSTEX_UNORM8)
            to[i] = (unsigned char)((double)done[i] * 255.0 + 0.5); // is cut off
        else if (layout->format == GSTEX_FLOAT16)
            ((uint16_t *)(void *)to)[i] = gstex__to_half(done[i]);
        else
            ((float *)(void *)to)[i] = done[i];
    }
}

// gstex__inside of a texel that may be farther away than 32 bits count.
static int32_t gstex__inside_far(int64_t texel, int32_t size, int32_t repeat) {
    const int64_t there = repeat ? texel % size : texel < 0 ? 0 : texel < size ? texel : size - 1;
    return gstex__inside((int32_t)there, size, repeat);
}

GSTEX_API int gstex_decode_rect(const gstex_material *material, int mip, int32_t x, int32_t y, int32_t width, int32_t height,
                                const gstex_texel_layout *layout, void *texels, size_t row_pitch) {
    const size_t bytes = gstex__component_bytes(material, layout), texel = bytes * (size_t)layout->components;
    float values[GSTEX__TILE * GSTEX_MAX_CHANNELS];
    uint32_t channels = 0;
    int32_t across, down, i, j, left, top;
    if (bytes == 0 || width < 0 || height < 0 || row_pitch % bytes || row_pitch / texel < (size_t)width) return 0;
    for (i = 0; i < layout->components; ++i)
        if (layout->source[i] >= 0) channels |= 1u << layout->source[i] % GSTEX_MAX_CHANNELS;
    mip = gstex__inside_mips(material, mip);
    across = gstex__mip_size(material->width, mip);
    down = gstex__mip_size(material->height, mip);
    for (top = 0; top < height; top += GSTEX__SIDE)
        for (left = 0; left < width; left += GSTEX__SIDE) {
            const int32_t columns = width - left < GSTEX__SIDE ? width - left : GSTEX__SIDE;
            const int32_t rows = height - top < GSTEX__SIDE ? height - top : GSTEX__SIDE;
            const int64_t first_x = (int64_t)x + left, first_y = (int64_t)y + top;
            const size_t stride = (size_t)(columns * material->channel_count);
            const int inside = first_x >= 0 && first_y >= 0 && first_x + columns <= across && first_y + rows <= down;
            if (inside)
                gstex__decode_inside(material, channels, mip, (int32_t)first_x, (int32_t)first_y, columns, rows, values,
                                     stride);
            for (j = 0; j < rows; ++j)
                for (i = 0; i < columns; ++i) {
                    float *value = values + stride * (size_t)j + (size_t)(i * material->channel_count);
                    unsigned char *to = (unsigned char *)texels + row_pitch * (size_t)(top + j) + texel * (size_t)(left + i);
                    if (!inside) {
                        const int32_t of_x = gstex__inside_far(first_x + i, across, material->repeat);
                        const int32_t of_y = gstex__inside_far(first_y + j, down, material->repeat);
                        gstex__decode_inside(material, channels, mip, of_x, of_y, 1, 1, value, 0);
                    }
                    gstex__write_texel(material, layout, value, to);
                }
        }
    return 1;
}

// How many Gaussians of a group a texel inside a mip looks at.
static uint32_t gstex__candidates_of(const gstex_group *group, int mip, int32_t x, int32_t y) {
    gstex__view view;
    gstex__grid grid;
    gstex__axis columns, rows;
    uint32_t found = 0;
    int l, i, j;
    gstex__open_view(group, mip, &view);
    gstex__set_texels(&columns, x, 1);
    gstex__set_texels(&rows, y, 1);
    for (l = 0; l < view.level_count; ++l) {
        const gstex_level *level = &grid.level;
        gstex__open_grid(&view, l, &grid);
        gstex__locate(&columns, level->cells_x, view.width);
        gstex__locate(&rows, level->cells_y, view.height);
        for (j = -1; j <= 1; ++j)
            for (i = -1; i <= 1; ++i) {
                const int32_t row = gstex__wrap_cell(rows.cell[0] + j, level->cells_y, group->repeat);
                const int32_t column = gstex__wrap_cell(columns.cell[0] + i, level->cells_x, group->repeat);
                const uint32_t cell = (uint32_t)row * (uint32_t)level->cells_x + (uint32_t)column;
                if (row < 0 || column < 0) continue;
                found += gstex__start(view.words, level, cell + 1) - gstex__start(view.words, level, cell);
            }
    }
    return found;
}

GSTEX_API uint32_t gstex_candidates(const gstex_material *material, int mip, int32_t x, int32_t y) {
    uint32_t found = 0;
    int g;
    mip = gstex__inside_mips(material, mip);
    x = gstex__inside(x, gstex__mip_size(material->width, mip), material->repeat);
    y = gstex__inside(y, gstex__mip_size(material->height, mip), material->repeat);
    for (g = 0; g < material->group_count; ++g) found += gstex__candidates_of(&material->groups[g], mip, x, y);
    return found;
}

// ==== Sampling: "Sampling" of docs/format.md ========================================================================
// In double, with functions of their own: those of C libraries differ in their last bits.

// The logarithm to base 2 of a positive number; minus infinity of 0.
static double gstex__log2(double x) {
    gstex__double_bits both;
    double m, f, s, sum = 0.0;
    int64_t exponent, adjusted = 0, n;
    if (!(x > 0.0)) return -HUGE_VAL;
    if (x < 2.2250738585072014e-308) { // below the normal numbers
        x *= 18014398509481984.0;      // 2^54
        adjusted = 54;
    }
    both.value = x;
    // x = 2^exponent m, m in sqrt(1/2) .. sqrt(2); ln m = 2 artanh f, f = (m - 1) / (m + 1).
    exponent = (int64_t)((both.bits - 0x3FE6A09E667F3BCDu) >> 52);
    if (exponent >= 2048) exponent -= 4096;
    m = gstex__to_double(both.bits - ((uint64_t)exponent << 52));
    f = (m - 1.0) / (m + 1.0);
    s = f * f;
    for (n = 23; n >= 3; n -= 2) sum = (sum + 1.0 / (double)n) * s;
    return (double)(exponent - adjusted) + 2.885390081777926815 * (f + f * sum); // 2 / ln 2
}

// 2^x for x in -1000 .. 1000, which a power of a value is far within.
static double gstex__exp2(double x) {
    const double whole = floor(x + 0.5), r = (x - whole) * 0.693147180559945309417; // ln 2
    double sum = 1.0;
    int n;
    for (n = 14; n >= 1; --n) sum = sum * r / n + 1.0; // Taylor's series
    return sum * gstex__to_double((uint64_t)(1023 + (int64_t)whole) << 52);
}

static double gstex__to_light(double stored) {
    if (stored <= 0.04045) return stored / 12.92;
    return gstex__exp2(2.4 * gstex__log2((stored + 0.055) / 1.055));
}

static double gstex__from_light(double light) {
    if (light <= 0.0031308) return 12.92 * light;
    return 1.055 * gstex__exp2(gstex__log2(light) / 2.4) - 0.055;
}

// Something that can be read at any point of its mips: a material, or pictures (bindings/decoder.cpp).
typedef struct gstex__source {
    int32_t width, height, channel_count, first_mip, mip_count;
    uint32_t srgb;
    void (*read)(const void *data, int mip, double u, double v, float *values);
    const void *data;
} gstex__source;

// A coordinate in 0 .. 1.
static double gstex__wrap(double where, int32_t repeat) {
    if (repeat) where -= floor(where);
    return where > 0.0 ? where < 1.0 ? where : 1.0 : 0.0; // 0 of what is no number
}

// One evaluation at a point. u, v: in 0 .. 1.
static void gstex__sample_direct(const gstex__view *view, double u, double v, float *values) {
    gstex__tile tile;
    gstex__set_texels(&tile.columns, 0, 1);
    gstex__set_texels(&tile.rows, 0, 1);
    tile.columns.point = u;
    tile.rows.point = v;
    gstex__blend(view, &tile, values, 0);
}

// The two texels beside a place along an axis, and the share of the second. The second may be `size`, as the first texel
// of the next period.
static float gstex__two_texels(double where, int32_t size, int32_t repeat, int32_t *texels) {
    const double place = where * size - 0.5, first = floor(place);
    texels[0] = (int32_t)first;
    texels[1] = texels[0] + 1;
    if (repeat && texels[0] < 0) {
        texels[0] += size;
        texels[1] += size;
    }
    if (!repeat) {
        texels[0] = gstex__inside(texels[0], size, 0);
        texels[1] = gstex__inside(texels[1], size, 0);
    }
    return (float)(place - first);
}

// Four texels of `count` values each, one row after the other, blended by shares across and down.
static void gstex__filter(const float *texels, int32_t count, float across, float down, float *values) {
    int32_t c;
    for (c = 0; c < count; ++c) {
        const float top = texels[c] * (1.0f - across) + texels[count + c] * across;
        const float bottom = texels[2 * count + c] * (1.0f - across) + texels[3 * count + c] * across;
        values[c] = top * (1.0f - down) + bottom * down;
    }
}

// values: one for each channel of the group.
static void gstex__sample_bilinear(const gstex__view *view, double u, double v, float *values) {
    const gstex_group *group = view->group;
    const int32_t channels = group->channel_count;
    float texels[4 * GSTEX_MAX_CHANNELS];
    int32_t columns[2], rows[2], i;
    const float across = gstex__two_texels(u, view->width, group->repeat, columns);
    const float down = gstex__two_texels(v, view->height, group->repeat, rows);
    if (view->texels || group->top_k) {
        for (i = 0; i < 4; ++i)
            gstex__fetch_inside(view, gstex__inside(columns[i & 1], view->width, group->repeat),
                                gstex__inside(rows[i >> 1], view->height, group->repeat), texels + channels * i);
    } else {
        gstex__tile tile;
        gstex__set_texels(&tile.columns, 0, 2);
        gstex__set_texels(&tile.rows, 0, 2);
        for (i = 0; i < 2; ++i) {
            tile.columns.texel[i] = columns[i];
            tile.rows.texel[i] = rows[i];
        }
        gstex__blend(view, &tile, texels, 2 * (size_t)channels);
    }
    gstex__filter(texels, channels, across, down, values);
}

static void gstex__read_point(const gstex_material *material, int mip, double u, double v, int bilinear,
                              float *values) {
    float own[GSTEX_MAX_CHANNELS];
    int g, k;
    mip = gstex__inside_mips(material, mip);
    u = gstex__wrap(u, material->repeat);
    v = gstex__wrap(v, material->repeat);
    gstex__write_constants(material, values);
    for (g = 0; g < material->group_count; ++g) {
        const gstex_group *group = &material->groups[g];
        gstex__view view;
        gstex__open_view(group, mip, &view);
        if (bilinear || view.texels)
            gstex__sample_bilinear(&view, u, v, own);
        else
            gstex__sample_direct(&view, u, v, own);
        for (k = 0; k < group->channel_count; ++k) values[group->channel[k]] = own[k];
    }
}

static void gstex__read_direct(const void *material, int mip, double u, double v, float *values) {
    gstex__read_point((const gstex_material *)material, mip, u, v, 0, values);
}
static void gstex__read_bilinear(const void *material, int mip, double u, double v, float *values) {
    gstex__read_point((const gstex_material *)material, mip, u, v, 1, values);
}

static gstex__source gstex__source_of(const gstex_material *material, gstex_filter filter) {
    gstex__source source;
    const int bilinear = filter == GSTEX_AS_FITTED ? material->bilinear : filter == GSTEX_BILINEAR;
    source.width = material->width;
    source.height = material->height;
    source.channel_count = material->channel_count;
    source.first_mip = material->first_mip;
    source.mip_count = material->mip_count;
    source.srgb = material->srgb;
    source.read = bilinear ? gstex__read_bilinear : gstex__read_direct;
    source.data = material;
    return source;
}

// The mean of some taps around a point, each between the two mips around lod; blended as light.
static void gstex__blend_taps(const gstex__source *source, double u, double v, const gstex_footprint *footprint,
                              float *values) {
    const int32_t first = source->first_mip, last = source->mip_count - 1, taps = footprint->taps;
    const double lod = footprint->lod > first ? footprint->lod < last ? footprint->lod : last : first;
    const int32_t fine = (int32_t)lod, mips = lod > fine ? 2 : 1;
    double total[GSTEX_MAX_CHANNELS] = {0.0};
    int32_t tap, m, c;
    if (taps * mips == 1) { // as stored: to light and back is nothing
        source->read(source->data, fine, u, v, values);
        return;
    }
    for (tap = 0; tap < taps; ++tap) {
        const double along = tap - 0.5 * (taps - 1);
        for (m = 0; m < mips; ++m) {
            const double share = (m ? lod - fine : fine + 1 - lod) / taps;
            source->read(source->data, fine + m, u + along * footprint->step_u, v + along * footprint->step_v, values);
            for (c = 0; c < source->channel_count; ++c)
                total[c] += share * (source->srgb >> c & 1u ? gstex__to_light((double)values[c]) : (double)values[c]);
        }
    }
    for (c = 0; c < source->channel_count; ++c)
        values[c] = gstex_saturate((float)(source->srgb >> c & 1u ? gstex__from_light(total[c]) : total[c]));
}

static gstex_footprint gstex__one_tap(double lod) {
    gstex_footprint footprint;
    footprint.lod = lod;
    footprint.taps = 1;
    footprint.step_u = footprint.step_v = 0.0;
    return footprint;
}

GSTEX_API void gstex_find_footprint(const gstex_steps *steps, int32_t width, int32_t height, int32_t max_taps,
                                    gstex_footprint *out) {
    // The axes of the ellipse with the second moments of the pixel's parallelogram, which is spanned by a and b.
    const double ax = width * steps->du_dx, ay = height * steps->dv_dx;
    const double bx = width * steps->du_dy, by = height * steps->dv_dy;
    const double h = (ax * ax + bx * bx - ay * ay - by * by) / 2, q = ax * ay + bx * by, r = sqrt(h * h + q * q);
    const double major = sqrt((ax * ax + bx * bx + ay * ay + by * by) / 2 + r);
    double minor, taps, x, y, length;
    *out = gstex__one_tap(-HUGE_VAL);
    if (!(major > 0.0)) return;
    minor = (ax * by - ay * bx) / major;
    minor = minor < 0.0 ? -minor : minor;
    taps = ceil(major / (minor > 1.0 ? minor : 1.0) - (double)GSTEX_TAP_SLACK);
    taps = taps > 1.0 ? taps < max_taps ? taps : max_taps : 1.0;
    out->taps = (int32_t)taps;
    out->lod = gstex__log2(major / taps);
    // The direction of the major axis, in the form that does not cancel.
    x = h >= 0.0 ? h + r : q;
    y = h >= 0.0 ? q : r - h;
    length = sqrt(x * x + y * y);
    if (!(length > 0.0)) return;
    out->step_u = x / length * (major / taps) / width;
    out->step_v = y / length * (major / taps) / height;
}

GSTEX_API void gstex_sample(const gstex_material *material, int mip, double u, double v, gstex_filter filter,
                            float *values) {
    const gstex__source source = gstex__source_of(material, filter);
    source.read(material, mip, u, v, values);
}

GSTEX_API void gstex_sample_lod(const gstex_material *material, double u, double v, double lod, gstex_filter filter,
                                float *values) {
    const gstex__source source = gstex__source_of(material, filter);
    const gstex_footprint footprint = gstex__one_tap(lod);
    gstex__blend_taps(&source, u, v, &footprint, values);
}

GSTEX_API void gstex_sample_grad(const gstex_material *material, double u, double v, const gstex_steps *steps,
                                 gstex_filter filter, float *values) {
    const gstex__source source = gstex__source_of(material, filter);
    gstex_footprint footprint;
    gstex_find_footprint(steps, material->width, material->height, GSTEX_MAX_TAPS, &footprint);
    gstex__blend_taps(&source, u, v, &footprint, values);
}

// ==== The material block: docs/shaders.md ===========================================================================

#define GSTEX__LOG2_VARIANCE_UNIT 0.47123364f // gstex_log2_variance_unit of the shader, and gstex_variance_unit
#define GSTEX__VARIANCE_UNIT 1.38629436f

enum { GSTEX__BLOCK_HEAD = 7, GSTEX__BLOCK_GROUP = 15, GSTEX__BLOCK_MIP = 2, GSTEX__BLOCK_LEVEL = 7 }; // fours

static uint32_t gstex__word_of(float value) {
    gstex__float_bits both;
    both.value = value;
    return both.bits;
}

// 2^-bits.
static float gstex__unit(int32_t bits) { return gstex__to_float((uint32_t)(127 - bits) << 23); }

// Where the own codes of channels are, as gstex_group of the shader finds it: for every four of them three fours.
static void gstex__block_fields(const gstex_group *group, uint32_t *to) {
    int32_t bit = 0, window = -32, i, j;
    if (group->palette_count) { // the first window may be that of the last palettes' numbers
        const int32_t first = (group->palette_count - 1) / 2 * 2;
        window = -group->palette_bits[first] - (first + 1 < group->palette_count ? group->palette_bits[first + 1] : 0);
    }
    for (i = 0; i < GSTEX_MAX_CHANNELS; i += 2, to += i % 4 ? 0 : 12) {
        const int32_t one = i < group->channel_count ? group->channel_bits[i] : 0;
        const int32_t other = i + 1 < group->channel_count ? group->channel_bits[i + 1] : 0;
        int32_t shift;
        j = i % 4;
        to[j / 2] = 0xFFFFFFFFu;
        if (bit + one + other > window + 32) {
            window = bit;
            to[j / 2] = (uint32_t)bit;
        }
        shift = bit - (window > 0 ? window : 0);
        to[4 + j] = (uint32_t)(shift < 31 ? shift : 31);
        to[5 + j] = (uint32_t)(shift + one < 31 ? shift + one : 31);
        to[8 + j] = (1u << one) - 1u;
        to[9 + j] = (1u << other) - 1u;
        bit += one + other;
    }
}

static void gstex__block_level(const gstex_group *group, const gstex_level *of, uint32_t base, float width, float height, uint32_t *to) {
    const int32_t x = of->position_x_bits, y = of->position_y_bits, rotation = of->rotation_bits, scale = of->scale_bits;
    const float cell_x = width / (float)of->cells_x, cell_y = height / (float)of->cells_y;
    to[0] = (uint32_t)of->cells_x;
    to[1] = (uint32_t)of->cells_y;
    to[2] = base + of->index_offset;
    to[3] = base + of->record_offset;
    to[4] = (uint32_t)of->stride / 4;
    to[5] = (uint32_t)(x + y);
    to[6] = (uint32_t)(rotation + scale);
    to[7] = (uint32_t)(x + y + rotation + 2 * scale + of->amplitude_bits);
    to[8] = (1u << x) - 1u;
    to[9] = ((1u << y) - 1u) << x;
    to[10] = ((1u << scale) - 1u) << rotation;
    to[11] = (1u << scale) - 1u;
    to[12] = (1u << rotation) - 1u;
    to[13] = ((1u << of->amplitude_bits) - 1u) << scale;
    to[14] = (uint32_t)of->regular;
    to[16] = gstex__word_of(cell_x);
    to[17] = gstex__word_of(cell_y);
    to[18] = gstex__word_of(cell_x * gstex__unit(x));
    to[19] = gstex__word_of(cell_y * gstex__unit(x + y));
    to[20] = gstex__word_of(0.5f * cell_x * gstex__unit(x));
    to[21] = gstex__word_of(0.5f * cell_y * gstex__unit(y));
    to[22] = gstex__word_of(rotation ? -(float)GSTEX_TAN_22_5 : 0.0f);
    to[23] = gstex__word_of(2.0f * (float)GSTEX_TAN_22_5 * gstex__unit(rotation));
    to[24] = gstex__word_of(GSTEX_LOG2E * group->amplitude_step * gstex__unit(scale));
    to[25] = gstex__word_of(GSTEX__LOG2_VARIANCE_UNIT - 2.0f * of->scale_lo);
    to[26] = gstex__word_of(-2.0f * of->scale_step * gstex__unit(rotation));
    to[27] = gstex__word_of(-2.0f * of->scale_step);
}

// The two fours of a mip, and from four `level` on those of its levels. Returns the four after them. to: 0 to count only.
static size_t gstex__block_mip(const gstex_group *group, int mip, int first, uint32_t base, uint32_t *to, size_t at, size_t level) {
    const uint32_t block = gstex__block(group, mip), own = gstex__block(group, first);
    gstex_mip of, drawn;
    int l;
    gstex_get_mip(group, mip, &of);
    gstex_get_mip(group, first, &drawn);
    if (to) {
        const float sigma = of.kind == GSTEX_SHARED ? of.filter : 0.0f;
        uint32_t *entry = to + 4 * at;
        entry[0] = gstex__word_of((float)drawn.width);
        entry[1] = gstex__word_of((float)drawn.height);
        entry[2] = gstex__word_of(GSTEX__VARIANCE_UNIT * sigma * sigma);
        entry[3] = (uint32_t)drawn.level_count | (uint32_t)(of.kind == GSTEX_TEXELS) << 16;
        entry[4] = base + own + 2;
        entry[5] = (uint32_t)level;
        entry[6] = of.kind == GSTEX_SHARED ? base + block + 2 : 0;
    }
    if (mip != first) return level; // its levels are there already
    for (l = 0; l < drawn.level_count; ++l, level += GSTEX__BLOCK_LEVEL) {
        gstex_level out;
        gstex_get_level(group, first, l, &out);
        if (to) gstex__block_level(group, &out, base, (float)drawn.width, (float)drawn.height, to + 4 * level);
    }
    return level;
}

// The block, or with to = 0 how many fours it takes.
static size_t gstex__block_material(const gstex_material *m, uint32_t base, uint32_t *to) {
    const size_t mips = GSTEX__BLOCK_HEAD + GSTEX__BLOCK_GROUP * (size_t)m->group_count;
    size_t at = mips, level = mips + GSTEX__BLOCK_MIP * (size_t)(m->group_count * m->mip_count);
    int g, mip, k;
    for (g = 0; g < m->group_count; ++g) {
        const gstex_group *group = &m->groups[g];
        size_t first_level = level;
        for (mip = m->first_mip; mip < m->mip_count; ++mip) {
            gstex_mip of;
            const size_t entry = at + GSTEX__BLOCK_MIP * (size_t)mip;
            gstex_get_mip(group, mip, &of);
            if (of.kind == GSTEX_SHARED)
                gstex__block_mip(group, mip, 0, base, to, entry, first_level);
            else
                level = gstex__block_mip(group, mip, mip, base, to, entry, level);
        }
        if (to) {
            uint32_t *head = to + 4 * (GSTEX__BLOCK_HEAD + GSTEX__BLOCK_GROUP * (size_t)g), palette_bits = 0, own = 0, srgb = 0;
            for (k = 0; k < group->palette_count; ++k) palette_bits |= (uint32_t)group->palette_bits[k] << 4 * k;
            for (k = 0; k < group->channel_count; ++k) {
                own |= (uint32_t)(group->channel_bits[k] > 0);
                srgb |= (m->srgb >> group->channel[k] & 1u) << k;
            }
            head[0] = group->members;
            head[1] = (uint32_t)group->channel_count;
            head[2] = (uint32_t)group->top_k;
            head[3] = (uint32_t)group->candidates_max;
            head[4] = gstex__word_of(GSTEX_LOG2E * group->amplitude_lo);
            head[5] = gstex__word_of(GSTEX_LOG2E * group->amplitude_step);
            head[6] = base + group->palette_offset;
            head[7] = palette_bits | own << 16;
            head[8] = (uint32_t)group->entry_words;
            head[9] = base + group->header + 6 + 2 * (uint32_t)m->mip_count - (uint32_t)m->tail;
            head[10] = (uint32_t)at;
            head[11] = srgb;
            gstex__block_fields(group, head + 12);
        }
        at += GSTEX__BLOCK_MIP * (size_t)m->mip_count;
    }
    if (to) {
        to[0] = (uint32_t)m->width;
        to[1] = (uint32_t)m->height;
        to[2] = (uint32_t)m->channel_count;
        to[3] = (uint32_t)m->mip_count;
        to[4] = (uint32_t)m->group_count;
        to[5] = (uint32_t)m->first_mip;
        to[6] = (uint32_t)m->repeat | (uint32_t)m->bilinear << 1;
        for (k = 0; k < m->channel_count; ++k)
            to[12 + k] = m->channels[k].group < 0 ? gstex__word_of(gstex_saturate(m->channels[k].constant)) : 0;
    }
    return level;
}

GSTEX_API size_t gstex_material_block(const gstex_material *material, uint32_t base, uint32_t *block, size_t fours) {
    const size_t need = gstex__block_material(material, base, 0);
    size_t n;
    if (need > fours) return need;
    for (n = 0; n < 4 * fours; ++n) block[n] = 0;
    return gstex__block_material(material, base, block);
}

#endif // GSTEX__ON_GPU

#ifdef __cplusplus
}
#endif

#endif // GSTEX_IMPLEMENTATION
