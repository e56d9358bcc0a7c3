// Everything of gstex.h on some bytes, with checks of what always holds. For decoder_driver.c, which the tests run, and
// fuzz_decoder.c.

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

// Scratch that ends where a check may end that it needs.
static uint32_t *scratch_for(const uint32_t *words, size_t count) {
    const size_t need = gstex_scratch_words(words, count);
    uint32_t *scratch = (uint32_t *)malloc(need * sizeof(uint32_t));
    expect(scratch != 0 && need >= 64 && need <= GSTEX_SCRATCH_WORDS, "no memory, or scratch of another size");
    return scratch;
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

// Values of one read: what is constant is exactly that.
static void check_values(const gstex_material *material, const float *values) {
    int c;
    for (c = 0; c < material->channel_count; ++c) {
        expect(values[c] >= 0.0f && values[c] <= 1.0f, "a value beyond 0 .. 1");
        if (material->channels[c].group < 0)
            expect(values[c] == gstex_saturate(material->channels[c].constant), "a constant that is another");
    }
}

static void expect_same(const gstex_material *material, const float *values, const float *others, const char *what) {
    expect(memcmp(values, others, sizeof(float) * (size_t)material->channel_count) == 0, what);
}

static int nearest_mip(const gstex_material *material, int mip) {
    const int last = material->mip_count - 1;
    return mip < material->first_mip ? material->first_mip : mip > last ? last : mip;
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
        gstex_sample_lod(material, u, v, mip, filter, again);
        expect_same(material, values, again, "a whole level of detail that is not its mip");
        if (mip < material->first_mip || mip >= material->mip_count) {
            gstex_sample(material, nearest_mip(material, mip), u, v, filter, again);
            expect_same(material, values, again, "a mip that is not there and is none that is");
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

// The channels of maps: what is found is of the role, and is what gstex_find finds among all.
static void exercise_channels(const gstex_material *material) {
    static const int32_t roles[] = {GSTEX_ROUGHNESS, GSTEX_GLOSS, GSTEX_METALLIC, GSTEX_AO, GSTEX_HEIGHT};
    gstex_channels channels;
    gstex_units units;
    const int32_t *found[] = {&channels.roughness, &channels.gloss, &channels.metallic, &channels.ao, &channels.height};
    int i, vec4s;
    for (vec4s = 1; vec4s <= 4; ++vec4s) {
        gstex_find_channels(material, vec4s, &channels);
        expect(sizeof channels == 80 && channels.opacity < 4 * vec4s, "channels of another size");
        for (i = 0; i < 5; ++i) {
            const int32_t all = gstex_find(material, (gstex_role)roles[i], GSTEX_ONLY);
            expect(*found[i] == (all < 4 * vec4s ? all : -1), "a channel that is not found, or is not there");
            expect(all < material->channel_count && (all < 0 || material->channels[all].role == roles[i]), "another role");
        }
        for (i = 0; i < 3; ++i)
            expect(channels.albedo[i] < 4 * vec4s && channels.albedo[i] < material->channel_count, "no such channel");
        gstex_find_units(material, &channels, &units);
        expect(sizeof units == 112, "units of another size");
        for (i = 0; i < 3; ++i)
            expect(channels.albedo[i] >= 0 ? units.albedo[i].scale == material->channels[channels.albedo[i]].scale
                                           : units.albedo[i].scale == 1.0f, "another unit");
    }
}

// What gstex_decode_rect writes for a component.
static float component_of(const gstex_material *material, const gstex_texel_layout *layout, int number, const float *values) {
    const int32_t from = layout->source[number];
    if (from >= 0 && from < 16) {
        const gstex_channel *channel = &material->channels[from];
        return layout->source_units ? channel->bias + channel->scale * values[from] : values[from];
    }
    return from >= 16 ? 1.0f - values[from - 16] : from == GSTEX_ONE || (from == GSTEX_MISSING && number == 3) ? 1.0f : 0.0f;
}

// A rectangle anywhere, in a layout of floats that is drawn by lot: fetches, and nothing written beside them.
static void exercise_rect(const gstex_material *material, int mip, uint32_t *state) {
    enum { SIDE = 11 };
    const int32_t most = material->candidates_max > 500 ? 3 : SIDE, sizes[] = {0, 1, INT32_MAX, INT32_MIN};
    const int32_t width = (int32_t)(random_of(state) % (uint32_t)(most + 1)), height = (int32_t)(random_of(state) % (uint32_t)(most + 1));
    const uint32_t lot = random_of(state) % 8;
    const int32_t x = lot < 4 ? sizes[lot] : (int32_t)(random_of(state) % 64) - 16;
    const int32_t y = lot < 4 ? sizes[3 - lot] : (int32_t)(random_of(state) % 64) - 16;
    float texels[SIDE * (4 * SIDE + 2)], values[GSTEX_MAX_CHANNELS];
    gstex_texel_layout layout;
    size_t pitch;
    int32_t i, j;
    int k;
    layout.format = GSTEX_FLOAT32;
    layout.components = 1 + (int32_t)(random_of(state) % 4);
    layout.source_units = (int32_t)(random_of(state) % 2);
    for (k = 0; k < 4; ++k) {
        layout.source[k] = (int32_t)(random_of(state) % (uint32_t)(2 * material->channel_count + 3)) - 3;
        if (layout.source[k] >= material->channel_count)
            layout.source[k] = GSTEX_INVERTED(layout.source[k] - material->channel_count);
    }
    pitch = (size_t)(layout.components * width + (int32_t)(random_of(state) % 3));
    for (i = 0; i < SIDE * (4 * SIDE + 2); ++i) texels[i] = -7.0f;
    expect(gstex_decode_rect(material, mip, x, y, width, height, &layout, texels, 4 * pitch), "a rectangle is refused");
    for (j = 0; j < height; ++j) {
        for (i = 0; i < width; ++i) {
            const int64_t all_x = gstex__mip_size(material->width, nearest_mip(material, mip));
            const int64_t all_y = gstex__mip_size(material->height, nearest_mip(material, mip));
            int64_t at_x = (int64_t)x + i, at_y = (int64_t)y + j;
            if (material->repeat) at_x %= all_x, at_y %= all_y;
            at_x = at_x > INT32_MAX ? INT32_MAX : at_x, at_y = at_y > INT32_MAX ? INT32_MAX : at_y;
            gstex_fetch(material, mip, (int32_t)at_x, (int32_t)at_y, values);
            for (k = 0; k < layout.components; ++k)
                expect(texels[pitch * (size_t)j + (size_t)(layout.components * i + k)] ==
                           component_of(material, &layout, k, values), "a component that is another");
        }
        for (i = layout.components * width; i < (int32_t)pitch; ++i)
            expect(texels[pitch * (size_t)j + (size_t)i] == -7.0f, "a texel beside the rectangle");
    }
    layout.source[layout.components - 1] = material->channel_count;
    expect(material->channel_count == 16 ||
               !gstex_decode_rect(material, mip, x, y, width, height, &layout, texels, 4 * pitch), "no such channel");
}

// Part of a mip at once and texel by texel. The mip may be one before the first, and is the first then.
static void exercise_texels(const gstex_material *material, int mip, uint32_t *state) {
    const int32_t channels = material->channel_count, cost = material->candidates_max + 10;
    const int32_t most = 20000 / cost < 12 ? 1 + 20000 / cost / 2 : 12, there = nearest_mip(material, mip);
    const int32_t all_x = gstex__mip_size(material->width, there), all_y = gstex__mip_size(material->height, there);
    const int32_t width = all_x < most ? all_x : most, height = all_y < most ? all_y : most;
    const int32_t x = (int32_t)(random_of(state) % (uint32_t)(all_x - width + 1));
    const int32_t y = (int32_t)(random_of(state) % (uint32_t)(all_y - height + 1));
    const size_t stride = (size_t)(width * channels + 3), count = stride * (size_t)height;
    float *texels = (float *)malloc(count * sizeof(float));
    float values[GSTEX_MAX_CHANNELS], again[GSTEX_MAX_CHANNELS];
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
            gstex_fetch(material, there, x + i / channels, y + j, values);
            expect_same(material, values, found, "a fetch that is not the decoded texel");
            check_values(material, values);
            expect(gstex_candidates(material, mip, x + i / channels, y + j) <= (uint32_t)material->candidates_max,
                   "more candidates than the header states");
        }
    free(texels);
    i = (int32_t)random_of(state), j = (int32_t)random_of(state);
    gstex_fetch(material, mip, i, j, values);
    check_values(material, values);
    gstex_fetch(material, there, i, j, again);
    expect_same(material, values, again, "a fetch of a mip that is not there and is none that is");
    expect(gstex_candidates(material, mip, i, j) == gstex_candidates(material, there, i, j), "candidates of nothing");
    expect(!gstex_decode(material, mip, all_x, 0, 1, 1, values, 0), "a rectangle outside");
    expect(!gstex_decode(material, mip, 0, -1, 1, 1, values, 0), "a rectangle above");
    expect(!gstex_decode(material, mip, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, values, 0), "a rectangle far away");
}

// A mip of a group, and what its parts add up to. Returns the most candidates that it has.
static uint32_t exercise_mip(const gstex_material *material, const gstex_group *group, int m, uint32_t *scratch) {
    const uint32_t end = material->first_mip > 0 ? material->resident_words : material->word_count;
    gstex_mip mip;
    double mean;
    uint32_t most, gaussians = 0;
    int l, k;
    gstex_get_mip(group, m, &mip);
    expect(mip.width == gstex__mip_size(material->width, m) && mip.height == gstex__mip_size(material->height, m),
           "a mip of another size");
    expect(mip.offset > group->header && (uint64_t)mip.offset + mip.words < end, "a mip beyond its guard word");
    expect(mip.level_count == 0 || mip.kind == GSTEX_GAUSSIANS, "levels of what has none");
    for (l = 0; l < mip.level_count; ++l) {
        gstex_level level;
        gstex_get_level(group, m, l, &level);
        gaussians += level.gaussian_count;
        if ((int64_t)level.cells_x * level.cells_y <= 1 << 16) {
            const size_t cells = (size_t)(level.cells_x * level.cells_y);
            uint16_t *counts = (uint16_t *)malloc(cells * sizeof(uint16_t));
            uint32_t sum = 0;
            size_t i;
            expect(counts != 0, "no memory");
            gstex_cell_counts(group, &level, counts);
            for (i = 0; i < cells; ++i) sum += counts[i];
            expect(sum == level.gaussian_count, "cells that do not add up");
            free(counts);
        }
    }
    expect(gaussians == mip.gaussian_count, "levels that do not add up");
    most = gstex_count_candidates(group, m, scratch, &mean);
    expect(most <= (uint32_t)group->candidates_max && mean <= most, "more candidates than the group states");
    expect(most == gstex_count_candidates(group, m, scratch, 0), "other candidates if nobody wants the mean");
    if (mip.kind == GSTEX_TEXELS) expect(most == 0 && mean == 0, "candidates of texels");
    if (mip.kind == GSTEX_SHARED) {
        expect(material->first_mip == 0 && m > 0, "a shared mip where mip 0 is not");
        expect(most == gstex_count_candidates(group, 0, scratch, 0), "a shared mip of others than mip 0 has");
        expect(mip.filter >= 0.0f && mip.filter <= GSTEX_MAX_SIZE, "a filter out of range");
        for (k = 0; k < 3 * group->channel_count; ++k)
            expect(mip.bend[k / 3][k % 3] >= -0.5f && mip.bend[k / 3][k % 3] < 0.5f, "a bend out of range");
    }
    return most;
}

// Every channel is constant or in one group, and groups know theirs.
static void check_channels(const gstex_material *material) {
    int g, k, c, members = 0, constants = 0;
    for (g = 0; g < material->group_count; ++g) {
        const gstex_group *group = &material->groups[g];
        expect(group->channel_count > 0, "a group of nothing");
        for (k = 0; k < group->channel_count; ++k) {
            expect(material->channels[group->channel[k]].group == g, "a channel that is in another group");
            expect(k == 0 || group->channel[k] > group->channel[k - 1], "channels in another order");
            expect(group->members >> group->channel[k] & 1u, "a channel that is no member");
        }
        members += group->channel_count;
    }
    for (c = 0; c < material->channel_count; ++c) {
        constants += material->channels[c].group < 0;
        expect(gstex__is_finite(material->channels[c].scale) && material->channels[c].scale != 0.0f, "no scale");
        expect((material->srgb >> c & 1u) == (uint32_t)material->channels[c].srgb, "two answers about sRGB");
    }
    expect(members + constants == material->channel_count, "channels of no group or of two");
}

// Blocks stand one after the other: the tail alone up to its padding, or all others of a file up to its guard word.
static void check_places(const gstex_material *material) {
    const int alone = material->first_mip > 0;
    uint32_t next = 0;
    int g, m;
    for (g = 0; g < material->group_count; ++g)
        for (m = material->first_mip; m < material->mip_count; ++m) {
            gstex_mip mip;
            gstex_get_mip(&material->groups[g], m, &mip);
            if (!alone && m >= material->tail && mip.kind != GSTEX_SHARED) {
                expect(mip.offset + mip.words < material->resident_words, "a block of the tail that is not in it");
                continue;
            }
            expect(next == 0 || mip.offset == next, "a hole before a block");
            next = mip.offset + mip.words;
        }
    if (next == 0) return;
    expect(alone ? next / 64 * 64 + 64 == material->resident_words : next + 1 == material->word_count,
           "a hole before a guard word");
}

static void exercise_material(const gstex_material *material, uint32_t *scratch, uint32_t seed) {
    uint32_t state = seed | 1u;
    int64_t most_of_all = 0;
    int g, m;
    check_channels(material);
    check_places(material);
    for (g = 0; g < material->group_count; ++g) {
        const gstex_group *group = &material->groups[g];
        uint32_t most = 0;
        for (m = material->first_mip; m < material->mip_count; ++m) {
            const uint32_t found = exercise_mip(material, group, m, scratch);
            most = found > most ? found : most;
        }
        most_of_all += group->candidates_max;
        if (material->tail == material->mip_count) expect(most == (uint32_t)group->candidates_max, "fewer candidates");
    }
    expect(most_of_all == material->candidates_max, "candidates that do not add up");
    expect(most_of_all <= GSTEX_MAX_CANDIDATES, "more candidates than there may be");
    for (m = 0; m < material->mip_count; ++m) exercise_texels(material, m, &state);
    exercise_texels(material, material->mip_count, &state);
    exercise_texels(material, -1, &state);
    for (m = -1; m <= material->mip_count; ++m) exercise_rect(material, m, &state);
    exercise_channels(material);
    exercise_points(material, &state);
}

// Points a material to another copy of its words.
static void move_material(gstex_material *material, const uint32_t *words) {
    int g;
    material->words = words;
    for (g = 0; g < material->group_count; ++g) material->groups[g].words = words;
}

// What is written into a buffer are the words of the file, with first_mip as it has to be.
static void check_written(const gstex_material *material, const uint32_t *words, size_t count) {
    uint32_t *to = (uint32_t *)malloc(count * sizeof(uint32_t));
    gstex_pool pool;
    memset(&pool, 0, sizeof pool);
    expect(to != 0 && gstex_upload_words(material) == count, "another number of words");
    gstex_write_words(material, to);
    expect(memcmp(to, words, 4 * count) == 0, "words that are not those of the file");
    expect(gstex_add_to_pool(&pool, material) == 0 && gstex_add_to_pool(&pool, material) == count &&
               pool.words == 2 * count && pool.count == 2 && 4 * pool.vec4s >= material->channel_count, "another pool");
    free(to);
}

// Words that have been checked open to the same material. opened: words of that many, with first_mip as it has to be.
static void check_opened(const gstex_material *material, const uint32_t *opened) {
    gstex_material again, moved = *material;
    memset(&again, 0, sizeof again); // what is between members, too
    gstex_open_unchecked(opened, &again);
    move_material(&moved, opened);
    expect(memcmp(&moved, &again, sizeof again) == 0, "a material that opens to another");
}

// Two materials give the same values of a group, whose block of a mip is the same in both.
static void compare_group(const gstex_material *one, const gstex_material *other, int g, int mip, uint32_t *state) {
    float values[GSTEX_MAX_CHANNELS], others[GSTEX_MAX_CHANNELS];
    int i, k;
    for (i = 0; i < 4; ++i) {
        const int32_t x = (int32_t)random_of(state), y = (int32_t)random_of(state);
        const gstex_filter filter = (gstex_filter)(random_of(state) % 3);
        if (i & 1) {
            gstex_fetch(one, mip, x, y, values);
            gstex_fetch(other, mip, x, y, others);
        } else {
            gstex_sample(one, mip, x / 1e9, y / 1e9, filter, values);
            gstex_sample(other, mip, x / 1e9, y / 1e9, filter, others);
        }
        for (k = 0; k < one->groups[g].channel_count; ++k)
            expect(values[one->groups[g].channel[k]] == others[one->groups[g].channel[k]], "a tail of other values");
    }
}

// Resident words alone, which end where their memory ends. whole: the material of the file, or 0 if it is not sound.
// Returns 1 if they are sound.
static int exercise_resident(const uint32_t *words, size_t count, const gstex_material *whole, uint32_t *scratch) {
    uint32_t *set = (uint32_t *)copy_of(words, 4 * count), state = 23;
    gstex_material material;
    gstex_error error;
    int sound, g, m;
    memset(&material, 0, sizeof material);
    sound = gstex_validate(words, count, scratch, gstex_scratch_words(words, count), &material, &error);
    expect(sound || !whole, "a sound file whose tail is not");
    if (!sound) {
        check_error(&error);
    } else if (material.first_mip > 0) {
        expect(material.first_mip == material.tail && material.resident_words == count, "a tail of another size");
        gstex_set_first_mip(set, material.tail); // as it is uploaded alone
        check_written(&material, set, count);
        check_opened(&material, set);
        expect(!gstex_validate(set, count, scratch, GSTEX_SCRATCH_WORDS, &material, &error) && error.rule == GSTEX_RULE_FIRST_MIP,
               "a first mip in what is to be checked");
        gstex_open_unchecked(set, &material);
        exercise_material(&material, scratch, 19);
        for (g = 0; whole && g < whole->group_count; ++g)
            for (m = whole->tail; m < whole->mip_count; ++m) {
                gstex_mip alone, of_whole;
                gstex_get_mip(&material.groups[g], m, &alone);
                gstex_get_mip(&whole->groups[g], m, &of_whole);
                expect(alone.kind != GSTEX_SHARED && alone.offset < count, "a block of the tail that is not in it");
                expect((of_whole.offset != alone.offset) == (of_whole.kind == GSTEX_SHARED), "two blocks of one mip");
                if (of_whole.offset == alone.offset) compare_group(&material, whole, g, m, &state);
            }
    }
    free(set);
    return sound && material.first_mip > 0;
}

// What stands after a resident part that is right: all of the file that is here.
static void check_ranges(const gstex_sections *sections, const uint8_t *data, size_t here, const gstex_material *whole) {
    gstex_range first, rest;
    gstex_error error;
    uint8_t *bytes;
    gstex_stream_ranges(sections, &first, &rest);
    expect(first.offset == 256 && first.offset + first.bytes == rest.offset && first.bytes == sections->resident_bytes &&
               rest.offset + rest.bytes == sections->json_offset, "ranges that are not the section");
    if (here < rest.offset + (size_t)rest.bytes) return;
    bytes = (uint8_t *)copy_of(data + rest.offset, rest.bytes);
    expect(gstex_check_rest(sections, bytes, &error) || !whole, "a sound file whose rest is not");
    if (whole) {
        bytes[rest.bytes / 2] ^= 1;
        expect(!gstex_check_rest(sections, bytes, &error) && error.rule == GSTEX_RULE_GPU_CRC, "a damaged rest is none");
    }
    free(bytes);
}

// The tail of a file of which the first bytes are here. Returns 1 if it is there and sound.
static int exercise_tail(const uint8_t *data, size_t here, size_t file_bytes, const gstex_material *whole) {
    gstex_sections sections;
    gstex_error error;
    uint32_t *words, *scratch;
    int sound;
    if (!gstex_read_header(data, here, file_bytes, &sections, &error)) {
        check_error(&error);
        return 0;
    }
    if (here < 256 + (size_t)sections.resident_bytes || sections.resident_bytes == sections.gpu_bytes) return 0;
    words = (uint32_t *)copy_of(data + 256, sections.resident_bytes);
    scratch = scratch_for(words, sections.resident_bytes / 4);
    sound = gstex_check_resident(&sections, words, &error);
    if (!sound) {
        check_error(&error);
        expect(!gstex_check_resident(&sections, words, 0), "another answer if nobody wants the reason");
    }
    expect(sound || !whole, "a sound file whose tail is not");
    if (sound) {
        check_ranges(&sections, data, here, whole);
        words[sections.resident_bytes / 8] ^= 256;
        expect(!gstex_check_resident(&sections, words, &error) && error.rule == GSTEX_RULE_RESIDENT_CRC,
               "a damaged tail is none");
        words[sections.resident_bytes / 8] ^= 256;
    }
    sound = sound && exercise_resident(words, sections.resident_bytes / 4, whole, scratch);
    free(scratch);
    free(words);
    return sound;
}

// Returns 1 if the bytes are a sound file, 2 if they are none but its tail alone is sound.
static int exercise(const uint8_t *data, size_t size) {
    uint8_t *bytes = (uint8_t *)copy_of(data, size);
    gstex_file file;
    gstex_error error;
    gstex_material material;
    int sound;
    memset(&material, 0, sizeof material);
    sound = gstex_read(bytes, size, &file, &error);
    if (!sound) {
        check_error(&error);
        expect(!gstex_read(bytes, size, &file, 0), "another answer if nobody wants the reason");
    } else {
        uint32_t *words = (uint32_t *)copy_of(file.words, 4 * file.word_count);
        const size_t need = gstex_scratch_words(words, file.word_count);
        uint32_t *scratch = scratch_for(words, file.word_count);
        uint8_t *shifted = (uint8_t *)malloc(size + 1);
        gstex_file nowhere;
        gstex_material loaded;
        expect(shifted != 0, "no memory");
        expect((const uint8_t *)file.json + file.json_bytes == bytes + size, "sections that leave a rest");
        memcpy(shifted + 1, bytes, size);
        expect(!gstex_read(shifted + 1, size, &nowhere, &error) && error.rule == GSTEX_RULE_ALIGNMENT,
               "words at an address that is no multiple of 4");
        free(shifted);
        sound = gstex_validate(words, file.word_count, scratch, need, &material, &error);
        expect(gstex_load(bytes, size, scratch, need, &loaded, 0) == sound && (!sound || loaded.words == file.words),
               "another answer for the bytes");
        expect(gstex_file_scratch_words(bytes, size) == need, "another scratch for the bytes");
        if (sound) {
            expect(!gstex_validate(words, file.word_count, scratch, need - 1, &loaded, &error) &&
                       error.rule == GSTEX_RULE_SCRATCH && error.lo == (double)need, "scratch that is too small");
            check_error(&error);
            expect(gstex_validate(words, file.word_count, scratch, need, &material, &error), "another answer");
            check_written(&material, words, file.word_count);
            uint32_t *used = (uint32_t *)copy_of(words, 4 * (size_t)material.word_count); // nothing behind the guard word
            expect(error.rule == GSTEX_OK && material.first_mip == 0, "an error about a sound file, or a part of one");
            check_opened(&material, used);
            move_material(&material, used);
            exercise_material(&material, scratch, 17);
            expect(exercise_tail(bytes, size, size, &material) == (material.tail < material.mip_count),
                   "a sound file whose tail is not, or a tail where there is none");
            free(used);
        } else {
            check_error(&error);
        }
        free(scratch);
        free(words);
    }
    if (!sound && exercise_tail(bytes, size, size, 0)) sound = 2;
    free(bytes);
    return sound;
}
