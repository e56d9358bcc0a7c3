// on_load.c: a .gstex material becomes block-compressed textures when it is loaded, and a shader that knows nothing of gstex
// draws it.
//
//     make on_load
//     ./on_load SHADERS gpu a.gstex picture.ppm      blocks by shaders/transcode.comp; they never leave the GPU
//     ./on_load SHADERS cpu a.gstex picture.ppm      the same blocks by gstex_blocks.h, where there are no compute shaders
//
// The words of the material are freed once the textures are there. platform.h is what an engine has already.

#define GSTEX_IMPLEMENTATION
#include "gstex.h"
#include "gstex_blocks.h"

#include "platform.h"

enum { ALBEDO, NORMAL, PACKED, EMISSIVE, SLOTS }; // the texture units that textures.frag reads

typedef struct plan {
    gstex_map maps[GSTEX_MAX_CHANNELS];
    gstex_map_use uses[GSTEX_MAX_CHANNELS];
    GLuint textures[GSTEX_MAX_CHANNELS];
    int count;
} plan;

static void load(const char *path, gstex_material *material) {
    size_t bytes;
    const void *data = read_file(path, &bytes);
    const size_t need = gstex_file_scratch_words(data, bytes);
    uint32_t *scratch = allocate(need * sizeof(uint32_t));
    gstex_error error;
    if (!gstex_load(data, bytes, scratch, need, material, &error)) {
        char reason[200];
        gstex_error_text(&error, reason, sizeof reason);
        fail(path, reason);
    }
    free(scratch);
}

static GLuint buffer(GLenum target, GLuint binding, size_t bytes, const void *data) {
    GLuint name;
    glGenBuffers(1, &name);
    glBindBuffer(target, name);
    glBufferData(target, (GLsizeiptr)bytes, data, GL_STATIC_DRAW);
    glBindBufferBase(target, binding, name);
    return name;
}

static GLenum internal_format(const plan *plan, int m) {
    if (plan->maps[m].format == GSTEX_BC4) return GL_COMPRESSED_RED_RGTC1;
    if (plan->maps[m].format == GSTEX_BC5) return GL_COMPRESSED_RG_RGTC2;
    return plan->uses[m].srgb ? GL_COMPRESSED_SRGB_ALPHA_BPTC_UNORM : GL_COMPRESSED_RGBA_BPTC_UNORM;
}

static int32_t mip_size(int32_t size, int mip) { return size >> mip > 1 ? size >> mip : 1; }

static void make_textures(const gstex_material *material, plan *plan) {
    int m;
    glGenTextures(plan->count, plan->textures);
    for (m = 0; m < plan->count; ++m) {
        const GLint wrap = material->repeat ? GL_REPEAT : GL_CLAMP_TO_EDGE;
        glBindTexture(GL_TEXTURE_2D, plan->textures[m]);
        glTexStorage2D(GL_TEXTURE_2D, material->mip_count, internal_format(plan, m), material->width, material->height);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, wrap);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, wrap);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR_MIPMAP_LINEAR);
    }
}

// Blocks of a mip into its textures. words: in memory, or 0 where a buffer is bound to GL_PIXEL_UNPACK_BUFFER.
static void fill_textures(const plan *plan, int mip, int32_t width, int32_t height, const uint32_t *words) {
    const size_t blocks = (size_t)((width + 3) / 4) * (size_t)((height + 3) / 4);
    int m;
    for (m = 0; m < plan->count; ++m) {
        const GLsizei bytes = (GLsizei)(4 * blocks * gstex_block_words(plan->maps[m].format));
        const char *start = (const char *)words + 4 * (size_t)plan->maps[m].first;
        glBindTexture(GL_TEXTURE_2D, plan->textures[m]);
        glCompressedTexSubImage2D(GL_TEXTURE_2D, mip, 0, 0, width, height, internal_format(plan, m), bytes, start);
    }
}

static void encode_on_cpu(const gstex_material *material, plan *plan) {
    int mip;
    for (mip = 0; mip < material->mip_count; ++mip) {
        const int32_t width = mip_size(material->width, mip), height = mip_size(material->height, mip);
        uint32_t *words = allocate(4 * gstex_place_maps(plan->maps, plan->count, width, height));
        gstex_encode_maps(material, mip, 0, 0, width, height, plan->maps, plan->count, words);
        fill_textures(plan, mip, width, height, words);
        free(words);
    }
}

static void encode_on_gpu(const gstex_material *material, plan *plan, const char *shaders) {
    char head[200];
    const char *source[2];
    GLuint compute, program, buffers[3];
    uint32_t *words = allocate(4 * (size_t)gstex_upload_words(material));
    int mip;
    snprintf(head, sizeof head, "#version 430 core\n#define GSTEX_VEC4S %d\n#define GSTEX_MAX_K 32\n#define GSTEX_MAPS %d\n",
             (material->channel_count + 3) / 4, plan->count);
    source[0] = head;
    source[1] = read_shader(shaders, "transcode.comp");
    compute = compile_shader(GL_COMPUTE_SHADER, 2, source);
    program = link_program(1, &compute);
    gstex_write_words(material, words);
    buffers[0] = buffer(GL_SHADER_STORAGE_BUFFER, 0, 4 * (size_t)gstex_upload_words(material), words);
    buffers[2] = buffer(GL_SHADER_STORAGE_BUFFER, 2, 4 * gstex_place_maps(plan->maps, plan->count, material->width,
                                                                         material->height), 0);
    free(words);
    glUseProgram(program);
    glUniform1ui(glGetUniformLocation(program, "base"), 0);
    glUniform1i(glGetUniformLocation(program, "map_count"), plan->count);
    for (mip = 0; mip < material->mip_count; ++mip) {
        const int32_t width = mip_size(material->width, mip), height = mip_size(material->height, mip);
        gstex_place_maps(plan->maps, plan->count, width, height);
        buffers[1] = buffer(GL_SHADER_STORAGE_BUFFER, 1, sizeof(gstex_map) * (size_t)plan->count, plan->maps);
        glUniform1i(glGetUniformLocation(program, "mip"), mip);
        glUniform2i(glGetUniformLocation(program, "size"), width, height);
        glUniform2i(glGetUniformLocation(program, "mip_size"), width, height);
        glDispatchCompute((GLuint)(width + 15) / 16, (GLuint)(height + 15) / 16, 1);
        glMemoryBarrier(GL_PIXEL_BUFFER_BARRIER_BIT);
        glBindBuffer(GL_PIXEL_UNPACK_BUFFER, buffers[2]);
        fill_textures(plan, mip, width, height, 0);
        glBindBuffer(GL_PIXEL_UNPACK_BUFFER, 0);
        glDeleteBuffers(1, &buffers[1]);
    }
    glDeleteBuffers(1, &buffers[0]);
    glDeleteBuffers(1, &buffers[2]);
    glDeleteProgram(program);
}

// What stands for a map that the material does not have.
static void bind_textures(const plan *plan) {
    static const unsigned char missing[SLOTS][4] = {{124, 124, 124, 255}, {128, 128, 0, 255}, {255, 128, 0, 255}, {0, 0, 0, 255}};
    GLuint names[SLOTS];
    int m, slot;
    glGenTextures(SLOTS, names);
    for (slot = 0; slot < SLOTS; ++slot) {
        glActiveTexture(GL_TEXTURE0 + (GLenum)slot);
        glBindTexture(GL_TEXTURE_2D, names[slot]);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
        glTexImage2D(GL_TEXTURE_2D, 0, slot == ALBEDO ? GL_SRGB8_ALPHA8 : GL_RGBA8, 1, 1, 0, GL_RGBA, GL_UNSIGNED_BYTE,
                     missing[slot]);
    }
    for (m = 0; m < plan->count; ++m) {
        const int32_t role = plan->uses[m].role;
        if (role != GSTEX_ALBEDO && role != GSTEX_NORMAL && role != GSTEX_EMISSIVE && !plan->uses[m].packed) continue;
        slot = role == GSTEX_ALBEDO ? ALBEDO : role == GSTEX_NORMAL ? NORMAL : role == GSTEX_EMISSIVE ? EMISSIVE : PACKED;
        glActiveTexture(GL_TEXTURE0 + (GLenum)slot);
        glBindTexture(GL_TEXTURE_2D, plan->textures[m]);
    }
}

int main(int count, char **arguments) {
    gstex_material material;
    plan plan;
    GLuint shaders[2];
    const char *vertex, *fragment;
    if (count != 5) fail("usage", "on_load SHADERS gpu|cpu a.gstex picture.ppm");
    load(arguments[3], &material);
    plan.count = gstex_plan_maps(&material, GSTEX_PACK_BC7, 0, plan.maps, plan.uses);
    open_context();
    open_target(2 * material.width, 2 * material.height); // quad.vert has the material twice along each edge
    make_textures(&material, &plan);
    if (arguments[2][0] == 'g') encode_on_gpu(&material, &plan, arguments[1]);
    else encode_on_cpu(&material, &plan);

    vertex = read_text(".", "quad.vert");
    fragment = read_text(".", "textures.frag");
    shaders[0] = compile_shader(GL_VERTEX_SHADER, 1, &vertex);
    shaders[1] = compile_shader(GL_FRAGMENT_SHADER, 1, &fragment);
    glUseProgram(link_program(2, shaders));
    bind_textures(&plan);
    glViewport(0, 0, 2 * material.width, 2 * material.height);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
    write_picture(arguments[4], 2 * material.width, 2 * material.height);
    printf("%d textures\n", plan.count);
    return 0;
}
