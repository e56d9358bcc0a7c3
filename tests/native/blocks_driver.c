// What an engine calls of gstex_blocks.h, for tests/test_blocks_c.py. Everything goes to stdout.
//
//     blocks_driver block FORMAT TEXELS       the blocks of raw texels, 16 words each
//     blocks_driver plan FILE PACK DOWN       a line for each map: format, the four sources, role, component, packed, srgb
//     blocks_driver maps FILE MIP X Y WIDTH HEIGHT (FORMAT R G B A)..
//                                             the words of all maps, one after the other; fails if the call is refused

#define GSTEX_IMPLEMENTATION
#include "gstex.h"
#include "gstex_blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    void *data;
    long end;
    if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) fail(path);
    data = malloc((size_t)end + 1);
    if (!data || fread(data, 1, (size_t)end, file) != (size_t)end) fail(path);
    fclose(file);
    *bytes = (size_t)end;
    return data;
}

static void *load(const char *path, gstex_material *material) {
    size_t bytes;
    void *data = read_file(path, &bytes);
    const size_t need = gstex_file_scratch_words(data, bytes);
    uint32_t *scratch = malloc(need * sizeof(uint32_t));
    gstex_error error;
    if (!scratch || !gstex_load(data, bytes, scratch, need, material, &error)) fail("not sound");
    free(scratch);
    return data;
}

static void write_blocks(uint32_t format, const char *path) {
    size_t bytes, at;
    uint32_t *texels = read_file(path, &bytes), words[4];
    for (at = 0; at < bytes / 4; at += 16) {
        gstex_encode_block(format, texels + at, words);
        fwrite(words, 4, gstex_block_words(format), stdout);
    }
    free(texels);
}

static void write_plan(const char *path, gstex_pack pack, int down) {
    gstex_material material;
    gstex_map maps[GSTEX_MAX_CHANNELS];
    gstex_map_use uses[GSTEX_MAX_CHANNELS];
    void *data = load(path, &material);
    const int count = gstex_plan_maps(&material, pack, down, maps, uses);
    int m;
    for (m = 0; m < count; ++m)
        printf("%u %u %u %u %u %d %d %d %d\n", maps[m].format, maps[m].source[0], maps[m].source[1], maps[m].source[2],
               maps[m].source[3], uses[m].role, uses[m].component, uses[m].packed, uses[m].srgb);
    free(data);
}

static void write_maps(char **arguments, int count) {
    gstex_material material;
    gstex_map maps[GSTEX_MAX_CHANNELS];
    void *data = load(arguments[0], &material);
    const int32_t mip = atoi(arguments[1]), x = atoi(arguments[2]), y = atoi(arguments[3]);
    const int32_t width = atoi(arguments[4]), height = atoi(arguments[5]);
    size_t words, i;
    uint32_t *buffer;
    int m, c;
    for (m = 0; m < count; ++m) {
        maps[m].format = (uint32_t)atoi(arguments[6 + 5 * m]);
        for (c = 0; c < 4; ++c) maps[m].source[c] = (uint32_t)atoi(arguments[7 + 5 * m + c]);
    }
    words = gstex_place_maps(maps, count, width, height);
    buffer = malloc(4 * words + 4);
    if (!buffer) fail("no memory");
    memset(buffer, 0xEE, 4 * words);
    if (!gstex_encode_maps(&material, mip, x, y, width, height, maps, count, buffer)) {
        for (i = 0; i < words; ++i)
            if (buffer[i] != 0xEEEEEEEEu) fail("refused, but written");
        fail("refused");
    }
    fwrite(buffer, 4, words, stdout);
    free(buffer);
    free(data);
}

int main(int count, char **arguments) {
    if (count == 4 && !strcmp(arguments[1], "block")) write_blocks((uint32_t)atoi(arguments[2]), arguments[3]);
    else if (count == 5 && !strcmp(arguments[1], "plan"))
        write_plan(arguments[2], (gstex_pack)atoi(arguments[3]), atoi(arguments[4]));
    else if (count >= 8 && (count - 8) % 5 == 0 && !strcmp(arguments[1], "maps")) write_maps(arguments + 2, (count - 8) / 5);
    else fail("usage");
    return 0;
}
