// Everything of gstex.h on some bytes, with checks of what always holds; and how bytes are damaged so that damage gets past
// the checksums. For decoder_driver.c, which the tests run, and fuzz_decoder.c.

#define GSTEX_IMPLEMENTATION
#include "gstex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

// A copy that ends where its memory ends, so that a sanitizer sees what is read beyond it.
static void *copy_of(const void *data, size_t size) {
    void *copy = malloc(size ? size : 1);
    expect(copy != 0, "no memory");
    if (size) memcpy(copy, data, size);
    return copy;
}

static uint32_t random_of(uint32_t *state) { // xorshift
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void check_error(const gstex_error *error) {
    char whole[256], cut[16];
    size_t length = gstex_error_text(error, whole, sizeof whole);
    expect(error->rule > GSTEX_OK && error->rule < GSTEX_RULE_COUNT, "an error without a rule");
    expect(length > 10 && length < 200 && strlen(whole) == length && !strchr(whole, '\n') && !strchr(whole, '%'),
           "a text of an error that is none");
    expect(gstex_error_text(error, cut, sizeof cut) == length && strncmp(cut, whole, 15) == 0 && strlen(cut) == 15,
           "a text that is cut off elsewhere");
    expect(gstex_error_text(error, 0, 0) == length, "a text without room");
}

static void check_values(const gstex_material *material, const float *values) {
    int c;
    for (c = 0; c < material->channel_count; ++c)
        expect(values[c] >= 0.0f && values[c] <= 1.0f, "a value beyond 0 .. 1");
}

static void exercise_points(const gstex_material *material, uint32_t *state) {
    static const double odd[] = {0.0, 1.0, -0.0, 0.5, -1e-30, 1e30, -1e300, INFINITY, -INFINITY, NAN, 0.9999999999999999, 5e-324};
    enum { ODD = sizeof odd / sizeof *odd };
    float values[GSTEX_MAX_CHANNELS], again[GSTEX_MAX_CHANNELS];
    int i;
    for (i = 0; i < 12; ++i) {
        const double u = i % 3 ? random_of(state) / 4294967296.0 * 3 - 1 : odd[random_of(state) % ODD];
        const double v = i % 4 ? random_of(state) / 4294967296.0 * 3 - 1 : odd[random_of(state) % ODD];
        const double lod = i % 2 ? random_of(state) / 4294967296.0 * 17 - 1 : odd[random_of(state) % ODD];
        const gstex_filter filter = (gstex_filter)(random_of(state) % 3);
        const int mip = (int)(random_of(state) % 18) - 1;
        gstex_steps steps;
        gstex_footprint footprint;
        gstex_sample(material, mip, u, v, filter, values);
        check_values(material, values);
        if (mip >= 0 && mip < material->mip_count) {
            gstex_sample_lod(material, u, v, mip, filter, again);
            expect(memcmp(values, again, sizeof(float) * (size_t)material->channel_count) == 0,
                   "a whole level of detail that is not its mip");
        }
        gstex_sample_lod(material, u, v, lod, filter, values);
        check_values(material, values);
        steps.du_dx = i % 5 ? ldexp(1.0, -(int)(random_of(state) % 20)) : odd[random_of(state) % ODD];
        steps.dv_dx = i % 2 ? 0.0 : ldexp(-1.0, -(int)(random_of(state) % 20));
        steps.du_dy = i % 3 ? 0.0 : odd[random_of(state) % ODD];
        steps.dv_dy = ldexp(1.0, -(int)(random_of(state) % 20));
        gstex_find_footprint(&steps, material->width, material->height, GSTEX_MAX_TAPS, &footprint);
        expect(footprint.taps >= 1 && footprint.taps <= GSTEX_MAX_TAPS, "a footprint of other taps");
        gstex_sample_grad(material, u, v, &steps, filter, values);
        check_values(material, values);
    }
}

// Part of a mip at once and texel by texel.
static void exercise_texels(const gstex_material *material, int mip, const gstex_mip *of, uint32_t *state) {
    const int32_t channels = material->channel_count, cost = material->candidates_max + 10;
    const int32_t most = 20000 / cost < 12 ? 1 + 20000 / cost / 2 : 12;
    const int32_t width = of->width < most ? of->width : most, height = of->height < most ? of->height : most;
    const int32_t x = (int32_t)(random_of(state) % (uint32_t)(of->width - width + 1));
    const int32_t y = (int32_t)(random_of(state) % (uint32_t)(of->height - height + 1));
    const size_t stride = (size_t)(width * channels + 3), count = stride * (size_t)height;
    float *texels = (float *)malloc(count * sizeof(float));
    float values[GSTEX_MAX_CHANNELS];
    int32_t i, j;
    expect(texels != 0, "no memory");
    for (i = 0; i < (int32_t)count; ++i) texels[i] = -7.0f;
    expect(gstex_decode(material, mip, x, y, width, height, texels, stride), "a rectangle inside is refused");
    for (j = 0; j < height; ++j)
        for (i = 0; i < (int32_t)stride; ++i) {
            const float *found = texels + stride * (size_t)j + i;
            if (i >= width * channels) {
                expect(*found == -7.0f, "a texel beyond the rectangle");
                continue;
            }
            if (i % channels) continue;
            gstex_fetch(material, mip, x + i / channels, y + j, values);
            expect(memcmp(values, found, sizeof(float) * (size_t)channels) == 0, "a fetch that is not the decoded texel");
            check_values(material, values);
            expect(gstex_candidates(material, mip, x + i / channels, y + j) <= (uint32_t)material->candidates_max,
                   "more candidates than the header states");
        }
    free(texels);
    gstex_fetch(material, mip, (int32_t)random_of(state), (int32_t)random_of(state), values);
    check_values(material, values);
    expect(!gstex_decode(material, mip, of->width, 0, 1, 1, values, 0), "a rectangle outside");
    expect(!gstex_decode(material, mip, 0, -1, 1, 1, values, 0), "a rectangle above");
    expect(!gstex_decode(material, mip, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, values, 0), "a rectangle far away");
}

static void exercise_material(const gstex_material *material, uint32_t *scratch, uint32_t seed) {
    uint32_t state = seed | 1u;
    int m, l;
    for (m = 0; m < material->mip_count; ++m) {
        gstex_mip mip;
        double mean;
        uint32_t most, gaussians = 0;
        gstex_get_mip(material, m, &mip);
        for (l = 0; l < mip.level_count; ++l) {
            gstex_level level;
            gstex_get_level(material, m, l, &level);
            gaussians += level.gaussian_count;
            if ((int64_t)level.cells_x * level.cells_y <= 1 << 16) {
                const size_t cells = (size_t)(level.cells_x * level.cells_y);
                uint16_t *counts = (uint16_t *)malloc(cells * sizeof(uint16_t));
                uint32_t sum = 0;
                size_t i;
                expect(counts != 0, "no memory");
                gstex_cell_counts(material, &level, counts);
                for (i = 0; i < cells; ++i) sum += counts[i];
                expect(sum == level.gaussian_count, "cells that do not add up");
                free(counts);
            }
        }
        expect(gaussians == mip.gaussian_count, "levels that do not add up");
        most = gstex_count_candidates(material, m, scratch, &mean);
        expect(most <= (uint32_t)material->candidates_max && mean <= most, "more candidates than the header states");
        exercise_texels(material, m, &mip, &state);
    }
    exercise_points(material, &state);
}

// Returns 1 if the bytes are a sound file.
static int exercise(const uint8_t *data, size_t size) {
    uint8_t *bytes = (uint8_t *)copy_of(data, size);
    gstex_file file;
    gstex_error error;
    gstex_material material, again;
    int sound;
    memset(&material, 0, sizeof material);
    sound = gstex_read(bytes, size, &file, &error);
    if (!sound) {
        check_error(&error);
        expect(!gstex_read(bytes, size, &file, 0), "another answer if nobody wants the reason");
    } else {
        uint32_t *words = (uint32_t *)copy_of(file.words, 4 * file.word_count);
        uint32_t *scratch = (uint32_t *)malloc(GSTEX_SCRATCH_WORDS * sizeof(uint32_t));
        uint8_t *shifted = (uint8_t *)malloc(size + 1);
        gstex_file nowhere;
        expect(scratch != 0 && shifted != 0, "no memory");
        expect((const uint8_t *)file.json + file.json_bytes == bytes + size, "sections that leave a rest");
        memcpy(shifted + 1, bytes, size);
        expect(!gstex_read(shifted + 1, size, &nowhere, &error) && error.rule == GSTEX_RULE_ALIGNMENT,
               "words at an address that is no multiple of 4");
        free(shifted);
        sound = gstex_validate(words, file.word_count, scratch, &material, &error);
        if (sound) {
            uint32_t *used = (uint32_t *)copy_of(words, 4 * (size_t)material.word_count); // nothing behind the guard word
            expect(error.rule == GSTEX_OK, "an error about a sound file");
            memset(&again, 0, sizeof again); // what is between members, too
            gstex_open(used, &again);
            material.words = used;
            expect(memcmp(&material, &again, sizeof material) == 0, "a material that opens to another");
            exercise_material(&material, scratch, 17);
            free(used);
        } else {
            check_error(&error);
        }
        free(scratch);
        free(words);
    }
    free(bytes);
    return sound;
}

// ---- Damage ----------------------------------------------------------------------------------------------------------

static void store(uint8_t *bytes, uint32_t value) {
    int i;
    for (i = 0; i < 4; ++i) bytes[i] = (uint8_t)(value >> 8 * i);
}

// Makes the file's header fit its bytes, which are at least 514.
static void repair_header(uint8_t *data, size_t size) {
    const uint32_t stated = gstex__load(data + 24), most = (uint32_t)(size - 258) / 256 * 256;
    const uint32_t gpu = stated > 0 && stated <= most && stated % 256 == 0 && size - 256 - stated <= 1 << 20 ? stated : most;
    memcpy(data, "\x89GSTEX\r\n\1\0\0\0\0\0\0\0", 16);
    store(data + 16, (uint32_t)size);
    store(data + 20, 256);
    store(data + 24, gpu);
    store(data + 28, 256 + gpu);
    store(data + 32, (uint32_t)size - 256 - gpu);
    store(data + 36, gstex__crc32(data + 256, gpu));
    store(data + 40, gstex__crc32(data + 256 + gpu, size - 256 - gpu));
    memset(data + 44, 0, 212);
}

// Puts right what a reader would have to see before it gets to what the damage is about, as far as `state` wants it:
// offsets, sums, and the number of candidates.
static void repair_words(uint8_t *data, size_t size, uint32_t *state) {
    int round;
    for (round = 0; round < 40; ++round) {
        gstex_file file;
        gstex_error error;
        gstex_material material;
        uint32_t *words, *scratch;
        size_t at = 0;
        double value;
        if (!gstex_read(data, size, &file, &error)) return;
        words = (uint32_t *)copy_of(file.words, 4 * file.word_count);
        scratch = (uint32_t *)malloc(GSTEX_SCRATCH_WORDS * sizeof(uint32_t));
        expect(scratch != 0, "no memory");
        value = 0;
        if (!gstex_validate(words, file.word_count, scratch, &material, &error) && random_of(state) % 32) {
            const uint32_t mips = words[3] >> 8 & 255u;
            value = error.lo;
            switch (error.rule) {
            case GSTEX_RULE_HEADER_WORDS: at = 1, value = (words[1] & 0xFFFFu) + 65536.0 * error.lo; break;
            case GSTEX_RULE_WORDS: at = 4, value = error.hi; break;
            case GSTEX_RULE_LEFT_OVER: at = 4; break;
            case GSTEX_RULE_CANDIDATES_MAX: at = 7; break;
            case GSTEX_RULE_PALETTE_OFFSET: at = 8; break;
            case GSTEX_RULE_NO_PALETTE_OFFSET: at = 8, value = 0; break;
            case GSTEX_RULE_MIP_OFFSET: at = 11 + (size_t)error.item; break;
            case GSTEX_RULE_CHANNEL_LO:
            case GSTEX_RULE_CHANNEL_STEP: at = 11 + mips + 2 * (size_t)error.item, value = 0; break;
            case GSTEX_RULE_GAUSSIAN_COUNT: at = words[11 + error.mip] + 1; break;
            case GSTEX_RULE_BACKGROUND: at = words[11 + error.mip] + 2 + (size_t)error.item, value = 0; break;
            case GSTEX_RULE_INDEX_OFFSET:
            case GSTEX_RULE_RECORD_OFFSET:
            case GSTEX_RULE_REGULAR_OFFSET:
            case GSTEX_RULE_REGULAR_COUNT:
                at = words[11 + error.mip] + 2 + (words[3] & 255u) + 7 * (size_t)error.level;
                at += error.rule == GSTEX_RULE_INDEX_OFFSET ? 1 : error.rule == GSTEX_RULE_REGULAR_COUNT ? 3 : 2;
                break;
            default: break;
            }
            if (error.rule == GSTEX_RULE_CHANNEL_STEP) ++at;
        }
        free(scratch);
        free(words);
        if (at == 0 || at >= file.word_count) return;
        store(data + 256 + 4 * at, (uint32_t)value);
        repair_header(data, size);
    }
}

// Repairs most of what has been damaged elsewhere.
static void repair(uint8_t *data, size_t size, uint32_t seed) {
    uint32_t state = seed * 2654435761u | 1u;
    if (size < 514 || random_of(&state) % 64 == 0) return;
    repair_header(data, size);
    if (random_of(&state) % 8) repair_words(data, size, &state);
}
