// Makes the expanded form of sound files, and of their tails alone, in memory that ends where it has to end, and prints a
// hash of every form: of a file, then of its tail.

#include "exercise.h"
#include "gstex_expand.h"

static uint32_t hash_of(const uint32_t *words, size_t count) { // FNV-1a by words
    uint32_t hash = 2166136261u;
    size_t i;
    for (i = 0; i < count; ++i) hash = (hash ^ words[i]) * 16777619u;
    return hash;
}

static uint32_t *words_of(size_t count) {
    uint32_t *words = (uint32_t *)malloc(count * sizeof(uint32_t));
    expect(words != 0, "no memory");
    return words;
}

// Makes lists of an expanded form in two parts, as two threads would; or stops.
typedef struct {
    uint32_t *memory;
    int calls, stop_at;
} maker_state;

static int make(void *user, const gstex_lists *lists) {
    maker_state *state = (maker_state *)user;
    const int32_t half = lists->count / 2;
    if (++state->calls == state->stop_at) return -1;
    expect(lists->count > 0 && lists->count <= 3, "more lists than can be made at once");
    return gstex_make_lists(lists, half, lists->count - half, state->memory) && gstex_make_lists(lists, 0, half, state->memory);
}

static void expand_by(const gstex_material *material, uint32_t *scratch, const uint32_t *expected, size_t count) {
    uint32_t *words = words_of(count);
    int32_t *sizes = (int32_t *)(void *)words_of(3);
    maker_state state;
    gstex_list_maker maker;
    state.memory = words_of(gstex_list_memory_words());
    state.calls = state.stop_at = 0;
    maker.make = make;
    maker.user = &state;
    maker.most = 3;
    maker.sizes = sizes;
    maker.bytes = (uint8_t *)words_of(3 * GSTEX_LIST_BYTES / sizeof(uint32_t));
    expect(gstex_expand_by(material, &maker, scratch, words, count) == count, "another size by a maker of lists");
    expect(memcmp(words, expected, count * sizeof(uint32_t)) == 0, "other words by a maker of lists");
    if (state.calls > 0) {
        state.stop_at = state.calls;
        state.calls = 0;
        expect(gstex_expand_by(material, &maker, scratch, words, count) == 0, "a form though it was stopped");
    }
    free(maker.bytes);
    free(state.memory);
    free(sizes);
    free(words);
}

static void expand(const gstex_material *material) {
    uint32_t *scratch = words_of(gstex_expand_scratch_words(material)), *words, *fewer;
    const size_t need = gstex_expand_words(material, scratch), half = need / 2;
    expect(need > 0 && need % 64 == 0, "a form of no size");
    expect(gstex_judge_expansion(material, 0) == GSTEX_EXPANSION_IMPOSSIBLE, "a form of no words is possible");
    expect(gstex_judge_expansion(material, 12 * (size_t)material->word_count + 11) == GSTEX_EXPANSION_GOOD, "12 times is too much");
    expect(gstex_judge_expansion(material, 12 * (size_t)material->word_count + 12) == GSTEX_EXPANSION_TOO_LARGE, "more is not");
    words = words_of(need);
    fewer = words_of(half);
    expect(gstex_expand(material, scratch, words, need) == need, "another size when it is written");
    expect(gstex_expand(material, scratch, fewer, half) == need, "another size where there is no room");
    expand_by(material, scratch, words, need);
    printf("%u\n", hash_of(words, need));
    free(scratch);
    free(words);
    free(fewer);
}

int main(int count, char **arguments) {
    int i;
    for (i = 1; i < count; ++i) {
        FILE *file = fopen(arguments[i], "rb");
        uint8_t *data = (uint8_t *)words_of(1 << 20);
        size_t size;
        gstex_material material, tail;
        uint32_t *scratch = words_of(GSTEX_SCRATCH_WORDS), *resident;
        expect(file != 0, "no such file");
        size = fread(data, 1, 4 << 20, file);
        fclose(file);
        expect(gstex_load(data, size, scratch, GSTEX_SCRATCH_WORDS, &material, 0), "no sound file");
        expand(&material);
        if (material.tail < material.mip_count) {
            resident = (uint32_t *)copy_of(material.words, material.resident_words * sizeof(uint32_t));
            expect(gstex_validate(resident, material.resident_words, scratch, GSTEX_SCRATCH_WORDS, &tail, 0), "no sound tail");
            expand(&tail);
            free(resident);
        }
        free(scratch);
        free(data);
    }
    return 0;
}
