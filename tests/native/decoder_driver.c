// gstex.h on files, for tests/test_decoder_c.py:
//
//     decoder_driver files FILE..             prints "sound" or the reason for each
//     decoder_driver prefixes FILE..          all that is cut off from the end; none may be sound, but for the tail
//     decoder_driver damage COUNT FILE..      random damage, the same each time; prints how many were sound, how many
//                                             of the others have a sound tail, and how many there were
//     decoder_driver values FILE              all texels of all mips, then 64 points, as float32 to stdout; and the
//                                             same of the tail alone, if there is one

#include "exercise.h"

#include "damage.h"

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long end;
    expect(file != 0 && fseek(file, 0, SEEK_END) == 0, path);
    end = ftell(file);
    rewind(file);
    data = (uint8_t *)malloc((size_t)end + 4096); // room for damage that inserts
    expect(data != 0, "no memory");
    *size = fread(data, 1, (size_t)end, file);
    fclose(file);
    return data;
}

// Cuts off the end of the GPU section, so that parts which do not fit any more end beyond the memory.
static size_t cut_section(uint8_t *data, size_t size, uint32_t *state) {
    const size_t gpu = gstex__load(data + 24), pieces = gpu / 256;
    const size_t left = 256 * (1 + random_of(state) % (pieces ? pieces : 1));
    if (gpu % 256 || gpu + 256 > size || left >= gpu) return size;
    memmove(data + 256 + left, data + 256 + gpu, size - 256 - gpu);
    store(data + 24, (uint32_t)left);
    store(data + 256 + 4 * 4, (uint32_t)left / 4);
    return size - gpu + left;
}

// One to four changes of bytes, words or sizes.
static size_t damage(uint8_t *data, size_t size, uint32_t *state) {
    static const uint32_t special[] = {0, 1, 2, 3, 255, 256, 512, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000, 0x7FC00000};
    uint32_t changes = 1 + random_of(state) % 4;
    while (changes-- > 0) {
        const size_t words = (size - 256) / 4, near = words < 120 ? words : 120;
        const size_t word = 256 + 4 * (random_of(state) % (random_of(state) % 4 ? near : words));
        const uint32_t kind = random_of(state) % 31;
        const size_t cut = 4 * (random_of(state) % 8);
        if (kind == 30) {
            size = cut_section(data, size, state);
        } else if (kind % 6 == 0) {
            store(data + word, special[random_of(state) % (sizeof special / sizeof *special)]);
        } else if (kind % 6 == 1) {
            data[word + random_of(state) % 4] ^= (uint8_t)(1u << random_of(state) % 8);
        } else if (kind % 6 == 2) {
            store(data + word, gstex__load(data + word) + random_of(state) % 7 - 3);
        } else if (kind % 6 == 3) {
            store(data + word, gstex__load(data + 256 + 4 * (random_of(state) % words)));
        } else if (kind % 6 == 4 && word + cut + 4 < size && size - cut >= 800) {
            memmove(data + word, data + word + cut, size - word - cut);
            size -= cut;
        } else {
            data[random_of(state) % size] = (uint8_t)random_of(state);
        }
    }
    return size;
}

static void print_material(const gstex_material *material) {
    float values[GSTEX_MAX_CHANNELS];
    uint32_t state = 1;
    int m, i;
    for (m = material->first_mip; m < material->mip_count; ++m) {
        const int32_t width = gstex__mip_size(material->width, m), height = gstex__mip_size(material->height, m);
        const size_t stride = (size_t)(width * material->channel_count);
        float *texels = (float *)malloc(stride * (size_t)height * sizeof(float));
        expect(texels && gstex_decode(material, m, 0, 0, width, height, texels, stride), "no texels");
        fwrite(texels, sizeof(float) * stride, (size_t)height, stdout);
        free(texels);
    }
    for (i = 0; i < 64; ++i) {
        const double u = random_of(&state) / 4294967296.0 * 3 - 1, v = random_of(&state) / 4294967296.0 * 3 - 1;
        const double lod = random_of(&state) / 4294967296.0 * material->mip_count;
        const gstex_filter filter = i & 1 ? GSTEX_BILINEAR : GSTEX_DIRECT;
        gstex_steps steps;
        gstex_sample_lod(material, u, v, lod, filter, values);
        fwrite(values, sizeof(float), (size_t)material->channel_count, stdout);
        steps.du_dx = u / 9, steps.dv_dx = v / 50, steps.du_dy = v / 200, steps.dv_dy = lod / 99;
        gstex_sample_grad(material, u, v, &steps, filter, values);
        fwrite(values, sizeof(float), (size_t)material->channel_count, stdout);
    }
}

static void print_values(const uint8_t *data, size_t size) {
    gstex_file file;
    gstex_material material;
    gstex_error error;
    uint32_t *scratch = (uint32_t *)malloc(GSTEX_SCRATCH_WORDS * sizeof(uint32_t));
    expect(scratch != 0 && gstex_read(data, size, &file, &error), "no file");
    expect(gstex_validate(file.words, file.word_count, scratch, GSTEX_SCRATCH_WORDS, &material, &error), "no sound file");
    print_material(&material);
    if (material.tail < material.mip_count) {
        const size_t resident = material.resident_words;
        uint32_t *words = (uint32_t *)copy_of(file.words, 4 * resident);
        expect(gstex_validate(words, resident, scratch, GSTEX_SCRATCH_WORDS, &material, &error), "no sound tail");
        print_material(&material);
        free(words);
    }
    free(scratch);
}

// All that is cut off from the end of a file. Its tail is there until that is cut off, too.
static void exercise_prefixes(const uint8_t *data, size_t size) {
    const size_t tail = 256 + (size_t)gstex__load(data + 44), gpu = 256 + (size_t)gstex__load(data + 24);
    size_t length;
    for (length = 0; length < size; ++length) {
        expect(!exercise(data, length), "a part of a file is sound");
        if (length <= tail && length < gpu) {
            void *part = copy_of(data, length);
            expect(exercise_tail((const uint8_t *)part, length, size, 0) == (length == tail), "a part of a tail is one");
            free(part);
        }
    }
}

// The resident part of a file in place of the whole is no file, however well its header says so.
static void exercise_part_as_file(const uint8_t *data, size_t size) {
    const size_t gpu = gstex__load(data + 24), resident = gstex__load(data + 44), left = size - gpu + resident;
    uint8_t *part = (uint8_t *)copy_of(data, size);
    gstex_file file;
    gstex_error error;
    memmove(part + 256 + resident, data + 256 + gpu, size - 256 - gpu);
    store(part + 24, (uint32_t)resident);
    repair_header(part, left);
    if (resident < gpu)
        expect(!gstex_read(part, left, &file, &error) && error.rule == GSTEX_RULE_WORDS, "a tail alone that is a file");
    expect(exercise(part, left) == (resident == gpu), "a tail alone that is sound as a file");
    free(part);
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    const int damages = strcmp(mode, "damage") == 0, first = damages ? 3 : 2;
    uint32_t state = 12345;
    int i, sound = 0, tails = 0, all = 0;
    for (i = first; i < count; ++i) {
        size_t size;
        uint8_t *data = read_file(arguments[i], &size);
        if (strcmp(mode, "values") == 0) {
            print_values(data, size);
        } else if (strcmp(mode, "prefixes") == 0) {
            exercise_prefixes(data, size);
        } else if (damages) {
            const int rounds = atoi(arguments[2]) / (count - first);
            int n;
            for (n = 0; n < rounds; ++n) {
                uint8_t *bad = (uint8_t *)copy_of(data, size);
                const size_t length = damage(bad, size, &state);
                int found;
                repair(bad, length, random_of(&state));
                found = exercise(bad, length);
                sound += found == 1;
                tails += found == 2;
                ++all;
                free(bad);
            }
        } else {
            const int is_sound = exercise(data, size) == 1;
            gstex_error error;
            gstex_material material;
            char text[256] = "sound";
            uint32_t *scratch = (uint32_t *)malloc(GSTEX_SCRATCH_WORDS * sizeof(uint32_t));
            if (!gstex_load(data, size, scratch, GSTEX_SCRATCH_WORDS, &material, &error))
                gstex_error_text(&error, text, sizeof text);
            expect(is_sound == (strcmp(text, "sound") == 0), "two answers");
            if (is_sound) exercise_part_as_file(data, size);
            printf("%s\n", text);
            free(scratch);
        }
        free(data);
    }
    if (damages) printf("%d %d %d\n", sound, tails, all);
    return 0;
}
