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
