// The numbers that all decoders and fits share, written by tools/write_headers.py from gstex/constants.py.

#ifndef GSTEX_CONSTANTS_H
#define GSTEX_CONSTANTS_H

#define GSTEX_BACKGROUND_WEIGHT 2.0611537e-09f
#define GSTEX_TAN_22_5 0.41421357f
#define GSTEX_LOG2E 1.442695f
#define GSTEX_UNIT 0.8493218f
#define GSTEX_MOST_SHARE 0.999f
#define GSTEX_NEGLIGIBLE_WEIGHT 5.9604645e-08f
#define GSTEX_MAX_TAPS 8
#define GSTEX_TAP_SLACK 0.015625f
#define GSTEX_TILE 8
#define GSTEX_MAX_PALETTES 4
#define GSTEX_MAX_CANDIDATES 4096
#define GSTEX_MAX_CHANNELS 16
#define GSTEX_MAX_LEVELS 16
#define GSTEX_MAX_TOP_K 32
#define GSTEX_HEADER_FIXED_WORDS 11
#define GSTEX_LEVEL_ENTRY_WORDS 7
#define GSTEX_RAW_BIT 256
#define GSTEX_SHARED_BIT 512

#endif
