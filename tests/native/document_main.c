// Appended to the code of docs/decoder-c.md by tests/test_decoder_c_document.py: calls all of it on a file with a tail.

static uint32_t texture[64 * 256];

static void write_texels(uint32_t x, uint32_t y, uint32_t width, uint32_t height, const uint32_t *words) {
    uint32_t row;
    for (row = 0; row < height; ++row) memcpy(texture + 64 * (y + row) + x, words + width * row, 4 * width);
}

#define EXPECT(holds)                                          \
    do {                                                       \
        if (!(holds)) {                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #holds); \
            return 1;                                          \
        }                                                      \
    } while (0)

int main(int count, char **arguments) {
    static uint32_t data[16384], buffer[32768], tail[16384], scratch[GSTEX_SCRATCH_WORDS];
    static unsigned char page[24 * 100];
    static float normals[3 * 64 * 64], values[GSTEX_MAX_CHANNELS], found[GSTEX_MAX_CHANNELS];
    const gstex_steps pixel = {0.25, 0.0, 0.0, 0.25};
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : 0;
    size_t bytes;
    gstex_material materials[2], opened, part;
    gstex_pool pool;
    gstex_sections sections;
    gstex_range first, rest;
    gstex_channels channels;
    uint32_t bases[2], words, i;
    EXPECT(file);
    bytes = fread(data, 1, sizeof data, file);
    fclose(file);
    EXPECT(load_material(data, bytes, &materials[0]) && load_material(data, bytes, &materials[1]));

    fill_buffer(materials, bases, 2, &pool, buffer);
    words = gstex_upload_words(&materials[0]);
    EXPECT(bases[0] == 0 && bases[1] == words && pool.words == 2 * words && pool.vec4s == 3);
    EXPECT(memcmp(buffer + words, materials[0].words, 4 * words) == 0);
    fill_texture(materials[0].words, 35, words, 64, write_texels);
    EXPECT(memcmp(texture + 35, materials[0].words, 4 * words) == 0 && texture[34] == 0 && texture[35 + words] == 0);
    gstex_open_unchecked(buffer + bases[1], &opened);
    shade(&opened, 0.3, 0.6, &pixel, found);
    shade(&materials[0], 0.3, 0.6, &pixel, values);
    EXPECT(memcmp(found, values, 4 * (size_t)opened.channel_count) == 0);

    fill_block(&materials[0], &pool, &channels);
    EXPECT(channels.albedo[1] == 2 && channels.normal_directx == 1 && channels.height == 1 && channels.gloss == -1);
    EXPECT(decode_page(&materials[0], &channels, 0, 0, 0, 16, page, 100));
    gstex_fetch(&materials[0], 0, -4, 19, values);
    for (i = 0; i < 3; ++i) EXPECT(page[23 * 100 + i] == (int)(values[channels.albedo[i]] * 255.0f + 0.5f));
    EXPECT(decode_normals(&materials[0], &channels, 1, normals));
    gstex_fetch(&materials[0], 1, 0, 0, values);
    EXPECT(normals[0] == values[channels.normal[0]] && normals[1] == 1.0f - values[channels.normal[1]] && normals[2] > 0.5f);

    EXPECT(plan_reads(data, bytes, &sections, &first, &rest) && rest.bytes > 0);
    memcpy(tail, data + first.offset / 4, first.bytes);
    EXPECT(load_tail(&sections, tail, scratch, gstex_scratch_words(tail, first.bytes / 4), &part));
    EXPECT(part.first_mip == part.tail && gstex_upload_words(&part) == first.bytes / 4);
    memcpy(tail + first.bytes / 4, data + rest.offset / 4, rest.bytes);
    EXPECT(load_rest(&sections, tail, scratch, GSTEX_SCRATCH_WORDS, &part) && part.first_mip == 0);
    tail[first.bytes / 4] ^= 1;
    EXPECT(!load_rest(&sections, tail, scratch, GSTEX_SCRATCH_WORDS, &part));
    return 0;
}
