// engine.c: two .gstex materials in one storage buffer, and a lit quad of each, drawn by shaders/gstex.glsl.
//
//     make
//     ./engine SHADERS a.gstex b.gstex picture.ppm      SHADERS: the folder of gstex.glsl, ../../shaders
//
// What has to do with gstex is here. platform.h is what an engine has already: files, a context, a framebuffer.

#define GSTEX_IMPLEMENTATION
#include "gstex.h"

#include "platform.h"

enum { MATERIALS = 2, SIDE = 256 }; // pixels along an edge of a quad

typedef struct material {
    gstex_material of;       // points into the bytes of its file
    uint32_t base;           // its first word in the buffer
    gstex_channels channels; // which of its channels hold which map
} material;

// From a file to a material that is checked, whoever made the file.
static void load(const char *path, gstex_material *material) {
    size_t bytes;
    const void *data = read_file(path, &bytes); // as malloc aligns it; a mapped file is aligned too
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

// All materials in one storage buffer, at binding 0.
static void upload(const material *materials, const gstex_pool *pool) {
    GLuint buffer;
    uint32_t *words;
    int i;
    glGenBuffers(1, &buffer);
    glBindBuffer(GL_SHADER_STORAGE_BUFFER, buffer);
    glBufferData(GL_SHADER_STORAGE_BUFFER, 4 * (GLsizeiptr)pool->words, 0, GL_STATIC_DRAW);
    words = glMapBuffer(GL_SHADER_STORAGE_BUFFER, GL_WRITE_ONLY);
    if (!words) fail("glMapBuffer", "no memory for the words");
    for (i = 0; i < MATERIALS; ++i) gstex_write_words(&materials[i].of, words + materials[i].base);
    glUnmapBuffer(GL_SHADER_STORAGE_BUFFER);
    glBindBufferBase(GL_SHADER_STORAGE_BUFFER, 0, buffer);
}

// One program for all materials of the pool. The strings stand one after the other: GLSL has no #include.
static GLuint build_program(const char *shaders, const gstex_pool *pool) {
    char head[100];
    const char *vertex[1], *fragment[3];
    GLuint stages[2];
    snprintf(head, sizeof head, "#version 430 core\n#define GSTEX_VEC4S %d\n#define GSTEX_MAX_K %d\n", pool->vec4s,
             pool->max_k);
    vertex[0] = read_text(".", "quad.vert");
    fragment[0] = head;
    fragment[1] = read_shader(shaders, "gstex.glsl");
    fragment[2] = read_text(".", "quad.frag");
    stages[0] = compile_shader(GL_VERTEX_SHADER, 1, vertex);
    stages[1] = compile_shader(GL_FRAGMENT_SHADER, 3, fragment);
    return link_program(2, stages);
}

static void draw(GLuint program, const material *material, int place) {
    GLuint block;
    glGenBuffers(1, &block);
    glBindBuffer(GL_UNIFORM_BUFFER, block);
    glBufferData(GL_UNIFORM_BUFFER, sizeof material->channels, &material->channels, GL_STATIC_DRAW);
    glBindBufferBase(GL_UNIFORM_BUFFER, 0, block);
    glUniform1ui(glGetUniformLocation(program, "base"), material->base);
    glViewport(SIDE * place, 0, SIDE, SIDE);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
}

int main(int count, char **arguments) {
    material materials[MATERIALS];
    gstex_pool pool = {0};
    GLuint program;
    int i;
    if (count != 3 + MATERIALS) fail("usage", "engine SHADERS a.gstex b.gstex picture.ppm");
    for (i = 0; i < MATERIALS; ++i) {
        load(arguments[2 + i], &materials[i].of);
        materials[i].base = gstex_add_to_pool(&pool, &materials[i].of);
    }
    for (i = 0; i < MATERIALS; ++i) gstex_find_channels(&materials[i].of, pool.vec4s, &materials[i].channels);
    open_context();
    open_target(SIDE * MATERIALS, SIDE);
    program = build_program(arguments[1], &pool);
    glUseProgram(program);
    upload(materials, &pool);
    for (i = 0; i < MATERIALS; ++i) draw(program, &materials[i], i);
    write_picture(arguments[2 + MATERIALS], SIDE * MATERIALS, SIDE);
    printf("%u materials, %u words\n", pool.count, pool.words);
    return 0;
}
