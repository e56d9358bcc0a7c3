// Appended to the code of docs/integration.md by tests/test_integration_document.py: reads a file and encodes all of it.

static unsigned textures, wrong;

static void write_texture(const gstex_map_use *use, uint32_t format, int mip, int32_t width, int32_t height,
                          const uint32_t *blocks) {
    const uint32_t words = gstex_block_words(format);
    ++textures;
    if (words == 0 || width < 1 || height < 1 || mip < 0 || use->role < 0) ++wrong;
    if (format >= GSTEX_BC7 && (blocks[0] & 255u) == 0) ++wrong; // a block of BC7 has a mode
}

int main(int count, char **arguments) {
    static uint32_t data[16384];
    gstex_material material;
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : 0;
    size_t bytes;
    if (!file) return 2;
    bytes = fread(data, 1, sizeof data, file);
    fclose(file);
    if (!read_material(data, bytes, &material)) return 1;
    if (!encode_material(&material, write_texture)) return 3;
    printf("%u textures of %d mips, %u wrong\n", textures, material.mip_count, wrong);
    return 0;
}
