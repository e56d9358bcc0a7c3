// What an engine calls of gstex.h, for tests/test_decoder_c_engine.py. Everything goes to stdout.
//
//     engine_driver golden FILE FLOATS       compares all texels with raw float32 (tools/golden_raw.py); prints the largest
//                                            difference, and fails if it is above 1e-5
//     engine_driver rect FILE MIP X Y WIDTH HEIGHT FORMAT UNITS PITCH SOURCE..
//                                            the bytes that gstex_decode_rect writes, rows of PITCH bytes; 0xEE elsewhere
//     engine_driver halves FLOATS            what GSTEX_FLOAT16 makes of raw float32
//     engine_driver upload BASE WORDS WIDTH  x y width height first of every rectangle
//     engine_driver pool FILE..              the pool, then the base word of each file
//     engine_driver find FILE ROLE COMPONENT the channel, and what 0 and 1 stand for in its map

#define GSTEX_IMPLEMENTATION
#include "gstex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

// All memory lives until the end, as materials point into it.
static void *blocks[64];
static int block_count;

static void free_all(void) {
    while (block_count > 0) free(blocks[--block_count]);
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory || block_count == 64) fail("no memory");
    return blocks[block_count++] = memory;
}

static void *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    void *data;
    long end;
    if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) fail(path);
    data = allocate((size_t)end);
    if (fread(data, 1, (size_t)end, file) != (size_t)end) fail(path);
    fclose(file);
    *bytes = (size_t)end;
    return data;
}

static gstex_material load(const char *path) {
    size_t bytes, need;
    const void *data = read_file(path, &bytes);
    uint32_t *scratch;
    gstex_material material;
    gstex_error error;
    need = gstex_file_scratch_words(data, bytes);
    scratch = (uint32_t *)allocate(need * sizeof(uint32_t));
    if (!gstex_load(data, bytes, scratch, need, &material, &error)) {
        char line[200];
        gstex_error_text(&error, line, sizeof line);
        fail(line);
    }
    return material;
}

static void compare_golden(const char *path, const char *floats) {
    const gstex_material material = load(path);
    const size_t channels = (size_t)material.channel_count;
    size_t bytes, done = 0, i;
    const float *expected = (const float *)read_file(floats, &bytes);
    float most = 0.0f;
    int mip;
    for (mip = 0; mip < material.mip_count; ++mip) {
        const int32_t width = gstex__mip_size(material.width, mip), height = gstex__mip_size(material.height, mip);
        const size_t count = channels * (size_t)width * (size_t)height;
        float *texels = (float *)allocate(count * sizeof(float));
        if (4 * (done + count) > bytes) fail("fewer floats than the file has texels");
        gstex_decode(&material, mip, 0, 0, width, height, texels, channels * (size_t)width);
        for (i = 0; i < count; ++i) most = fmaxf(most, fabsf(texels[i] - expected[done + i]));
        done += count;
    }
    printf("%g\n", (double)most);
    if (4 * done != bytes || !(most <= 1e-5f)) fail("other values, or floats that are left over");
}

static void print_rect(int count, char **arguments) {
    const gstex_material material = load(arguments[0]);
    const int mip = atoi(arguments[1]), x = atoi(arguments[2]), y = atoi(arguments[3]);
    const int width = atoi(arguments[4]), height = atoi(arguments[5]);
    const size_t pitch = (size_t)atoi(arguments[8]);
    unsigned char *texels = (unsigned char *)allocate(pitch * (size_t)height);
    gstex_texel_layout layout;
    int i;
    memset(&layout, 0, sizeof layout);
    layout.format = atoi(arguments[6]);
    layout.source_units = atoi(arguments[7]);
    layout.components = count - 9;
    for (i = 0; i < count - 9 && i < 4; ++i) layout.source[i] = atoi(arguments[9 + i]);
    memset(texels, 0xEE, pitch * (size_t)height);
    if (!gstex_decode_rect(&material, mip, x, y, width, height, &layout, texels, pitch)) fail("refused");
    fwrite(texels, 1, pitch * (size_t)height, stdout);
}

static void print_halves(const char *path) {
    size_t bytes, i;
    const float *values = (const float *)read_file(path, &bytes);
    for (i = 0; i < bytes / 4; ++i) {
        const uint16_t half = gstex__to_half(values[i]);
        fwrite(&half, sizeof half, 1, stdout);
    }
}

static void print_pool(int count, char **paths) {
    gstex_pool pool;
    uint32_t bases[16];
    int i;
    memset(&pool, 0, sizeof pool);
    for (i = 0; i < count && i < 16; ++i) {
        const gstex_material material = load(paths[i]);
        bases[i] = gstex_add_to_pool(&pool, &material);
    }
    printf("%u %u %u %d %d %d %d %d %d\n", pool.count, pool.words, pool.resident_words, pool.vec4s, pool.max_k, pool.width,
           pool.height, pool.mip_count, pool.candidates_max);
    for (i = 0; i < count && i < 16; ++i) printf("%u\n", bases[i]);
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    atexit(free_all);
    if (strcmp(mode, "golden") == 0 && count == 4) {
        compare_golden(arguments[2], arguments[3]);
    } else if (strcmp(mode, "rect") == 0 && count > 11) {
        print_rect(count - 2, arguments + 2);
    } else if (strcmp(mode, "halves") == 0 && count == 3) {
        print_halves(arguments[2]);
    } else if (strcmp(mode, "upload") == 0 && count == 5) {
        gstex_upload_rect rects[3];
        const int found = gstex_upload_rects((uint32_t)strtoul(arguments[2], 0, 10), (uint32_t)strtoul(arguments[3], 0, 10),
                                             (uint32_t)strtoul(arguments[4], 0, 10), rects);
        int i;
        for (i = 0; i < found; ++i)
            printf("%u %u %u %u %u\n", rects[i].x, rects[i].y, rects[i].width, rects[i].height, rects[i].first);
    } else if (strcmp(mode, "pool") == 0) {
        print_pool(count - 2, arguments + 2);
    } else if (strcmp(mode, "find") == 0 && count == 5) {
        const gstex_material material = load(arguments[2]);
        const int c = gstex_find(&material, (gstex_role)atoi(arguments[3]), (gstex_component)atoi(arguments[4]));
        printf("%d", c);
        if (c >= 0) printf(" %g %g", (double)gstex_source_value(&material.channels[c], 0.0f),
                           (double)gstex_source_value(&material.channels[c], 1.0f));
        printf("\n");
    } else {
        fail("usage: see the top of engine_driver.c");
    }
    return 0;
}
