// How the bytes of a file are damaged so that damage gets past the checksums, and past the rules before the one it is about.
// To be included after exercise.h.

static void store(uint8_t *bytes, uint32_t value) {
    int i;
    for (i = 0; i < 4; ++i) bytes[i] = (uint8_t)(value >> 8 * i);
}

// Makes the file's header fit its bytes, which are at least 514, and its resident part what the section says.
static void repair_header(uint8_t *data, size_t size) {
    const uint32_t stated = gstex__load(data + 24), most = (uint32_t)(size - 258) / 256 * 256;
    const uint32_t gpu = stated > 0 && stated <= most && stated % 256 == 0 && size - 256 - stated <= 1 << 20 ? stated : most;
    const uint32_t words = gstex__load(data + 256 + 20);
    const uint32_t resident = words > 0 && words <= gpu / 4 && words % 64 == 0 ? 4 * words : gpu;
    memcpy(data, "\x89GSTEX\r\n\2\0\0\0\0\0\0\0", 16);
    store(data + 16, (uint32_t)size);
    store(data + 20, 256);
    store(data + 24, gpu);
    store(data + 28, 256 + gpu);
    store(data + 32, (uint32_t)size - 256 - gpu);
    store(data + 36, gstex__crc32(data + 256, gpu));
    store(data + 40, gstex__crc32(data + 256 + gpu, size - 256 - gpu));
    store(data + 44, resident);
    store(data + 48, gstex__crc32(data + 256, resident));
    memset(data + 52, 0, 204);
}

// A word that a rule is about, and what it has to be.
typedef struct repair_of {
    size_t at; // 0: nothing can be done
    uint32_t value;
} repair_of;

static repair_of set_word(size_t at, double value) {
    repair_of repair;
    repair.at = at;
    repair.value = (uint32_t)value;
    return repair;
}

// The same for bits of a word.
static repair_of set_bits(const uint32_t *words, size_t at, int first, int count, double value) {
    const uint32_t mask = (uint32_t)(((uint64_t)1 << count) - 1) << first;
    return set_word(at, (words[at] & ~mask) | (uint32_t)value << first);
}

// Of the header of a group, all before which is right.
static repair_of repair_of_group(const uint32_t *words, size_t header, const gstex_error *error) {
    const size_t item = (size_t)error->item, mips = words[3] >> 8 & 255u, tail = words[3] >> 19 & 15u;
    const size_t ranges = header + 6 + 2 * mips - tail;
    switch (error->rule) {
    case GSTEX_RULE_MEMBERS: return set_bits(words, header, 0, 16, error->lo);
    case GSTEX_RULE_RESERVED_OF_GROUP:
        return words[header] >> 24 ? set_bits(words, header, 24, 8, 0) : set_bits(words, header + 5, 16, 16, 0);
    case GSTEX_RULE_TOP_K: return set_bits(words, header, 16, 8, 5);
    case GSTEX_RULE_AMPLITUDE_LO: return set_word(header + 1, 0);
    case GSTEX_RULE_AMPLITUDE_STEP: return set_word(header + 2, 0);
    case GSTEX_RULE_CANDIDATES_LIMIT: return set_word(header + 3, 0);
    case GSTEX_RULE_CANDIDATES_MAX: return set_word(header + 3, error->lo);
    case GSTEX_RULE_PALETTE_OFFSET: return set_word(header + 4, error->lo);
    case GSTEX_RULE_NO_PALETTE_OFFSET: return set_word(header + 4, 0);
    case GSTEX_RULE_TAIL_SHARED:
    case GSTEX_RULE_MIP_OFFSET: return set_word(header + 6 + item, error->lo);
    case GSTEX_RULE_TAIL_OFFSET: return set_word(header + 6 + mips + item, error->lo);
    case GSTEX_RULE_CHANNEL_LO: return set_word(ranges + 2 * item, 0);
    case GSTEX_RULE_CHANNEL_STEP: return set_word(ranges + 2 * item + 1, 0);
    default: return set_word(0, 0);
    }
}

// Of a block, all before which is right; channels: of its group.
static repair_of repair_of_block(const uint32_t *words, size_t block, size_t channels, const gstex_error *error) {
    const size_t item = (size_t)error->item, entry = block + 2 + channels + 7 * (size_t)error->level;
    switch (error->rule) {
    case GSTEX_RULE_RESERVED_OF_BLOCK: return set_bits(words, block, 10, 22, 0);
    case GSTEX_RULE_GAUSSIAN_COUNT: return set_word(block + 1, error->lo);
    case GSTEX_RULE_RAW_GAUSSIANS:
    case GSTEX_RULE_FILTER: return set_word(block + 1, 0);
    case GSTEX_RULE_BACKGROUND: return set_word(block + 2 + item, 0);
    case GSTEX_RULE_BEND: return set_bits(words, block + 2 + item, 30, 2, 0);
    case GSTEX_RULE_INDEX_OFFSET: return set_word(entry + 1, error->lo);
    case GSTEX_RULE_RECORD_OFFSET:
    case GSTEX_RULE_REGULAR_OFFSET: return set_word(entry + 2, error->lo);
    case GSTEX_RULE_REGULAR_COUNT: return set_word(entry + 3, error->lo);
    default: return set_word(0, 0);
    }
}

// What makes a section break another rule, or none.
static repair_of repair_of_rule(const uint32_t *words, const gstex_error *error) {
    const size_t item = (size_t)error->item, entry = 8 + item;
    if (error->group >= 0 && error->rule != GSTEX_RULE_GROUP_OFFSET) {
        const size_t header = words[(words[1] >> 16) - (words[3] >> 16 & 7u) + (uint32_t)error->group];
        const size_t mips = words[3] >> 8 & 255u, tail = words[3] >> 19 & 15u, m = (size_t)error->mip;
        // A block of the tail is checked in the tail, or it is that of a shared mip.
        const int in_tail = m >= tail && error->rule != GSTEX_RULE_FILTER && error->rule != GSTEX_RULE_BEND;
        uint32_t members = words[header] & 0xFFFFu, channels = 0;
        if (error->mip < 0 || error->rule == GSTEX_RULE_TAIL_SHARED) return repair_of_group(words, header, error);
        for (; members; members >>= 1) channels += members & 1u;
        return repair_of_block(words, words[header + 6 + (in_tail ? mips + m - tail : m)], channels, error);
    }
    switch (error->rule) {
    case GSTEX_RULE_HEADER_WORDS: return set_bits(words, 1, 16, 16, error->lo);
    case GSTEX_RULE_RESERVED_OF_3: return set_word(3, words[3] & ~0xC0800000u);
    case GSTEX_RULE_FIRST_MIP: return set_bits(words, 3, 26, 4, 0);
    case GSTEX_RULE_TAIL: return set_bits(words, 3, 19, 4, error->hi);
    case GSTEX_RULE_TAIL_OF_NOTHING: return set_bits(words, 3, 19, 4, error->lo);
    case GSTEX_RULE_WORDS: return set_word(4, error->hi);
    case GSTEX_RULE_LEFT_OVER: return set_word(4, error->lo);
    case GSTEX_RULE_RESIDENT_WORDS: return set_word(5, error->hi);
    case GSTEX_RULE_RESIDENT_ALL:
    case GSTEX_RULE_RESIDENT_END: return set_word(5, error->lo);
    case GSTEX_RULE_RESERVED_OF_HEADER: return set_word(words[6] ? 6 : 7, 0);
    case GSTEX_RULE_NUMBERS: return set_bits(words, entry, 24, 8, error->lo);
    case GSTEX_RULE_ROLE: return set_bits(words, entry, 0, 8, 0);
    case GSTEX_RULE_COMPONENT: return set_bits(words, entry, 8, 3, 0);
    case GSTEX_RULE_RESERVED_OF_CHANNEL: return set_bits(words, entry, 11, 5, 0);
    case GSTEX_RULE_FLIPPED: return set_bits(words, entry, 20, 1, 0);
    case GSTEX_RULE_CURVE: return set_bits(words, entry, 21, 2, 0);
    case GSTEX_RULE_CONSTANT: return set_word(words[entry] >> 24, 0);
    case GSTEX_RULE_SCALE:
    case GSTEX_RULE_BIAS: {
        const size_t scale = (words[entry] >> 24) + ((words[entry] >> 16 & 7u) == GSTEX_CONSTANT_GROUP);
        return error->rule == GSTEX_RULE_SCALE ? set_word(scale, 0x3F000000) : set_word(scale + 1, 0);
    }
    case GSTEX_RULE_GROUP_OFFSET: return set_word((words[1] >> 16) - (words[3] >> 16 & 7u) + item, error->lo);
    default: return set_word(0, 0);
    }
}

// Puts right what a reader would have to see before it gets to what the damage is about, as far as `state` wants it:
// offsets, sums, and the number of candidates.
static void repair_words(uint8_t *data, size_t size, uint32_t *state) {
    int round;
    for (round = 0; round < 40; ++round) {
        gstex_file file;
        gstex_error error;
        gstex_material material;
        repair_of repair = set_word(0, 0);
        if (gstex_read(data, size, &file, &error)) {
            uint32_t *words = (uint32_t *)copy_of(file.words, 4 * file.word_count);
            uint32_t *scratch = scratch_for(words, file.word_count);
            expect(scratch != 0, "no memory");
            if (!gstex_validate(words, file.word_count, scratch, gstex_scratch_words(words, file.word_count), &material,
                                &error) &&
                random_of(state) % 32)
                repair = repair_of_rule(words, &error);
            free(scratch);
            free(words);
            if (repair.at >= file.word_count) return;
        } else if (error.rule == GSTEX_RULE_RESIDENT_OF_WORDS && random_of(state) % 32) {
            repair = set_word(5, error.found / 4);
        }
        if (repair.at == 0) return;
        store(data + 256 + 4 * repair.at, repair.value);
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
