// platform.h: what an engine has already. Files, an OpenGL 4.3 context without a window through EGL, a framebuffer, a picture.

#ifndef PLATFORM_H
#define PLATFORM_H

#define GL_GLEXT_PROTOTYPES
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GL/glcorearb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) fail("malloc", "no memory");
    return memory;
}

// All bytes of a file, and a zero behind them.
static void *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    char *data;
    long end;
    if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) fail(path, "cannot be read");
    data = allocate((size_t)end + 1);
    *bytes = fread(data, 1, (size_t)end, file);
    fclose(file);
    if (*bytes != (size_t)end) fail(path, "cannot be read");
    data[*bytes] = 0;
    return data;
}

static const char *read_text(const char *folder, const char *name) {
    char path[1000];
    size_t bytes;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_file(path, &bytes);
}

// Text with `#include "name"` replaced by the files of those names, which include nothing: GLSL has no #include.
static const char *read_shader(const char *folder, const char *name) {
    const char *rest = read_text(folder, name), *found;
    char *text = allocate(1);
    size_t size = 0;
    text[0] = 0;
    while ((found = strstr(rest, "#include \"")) != 0) {
        const char *end = strchr(found + 10, '"');
        char included[100];
        const char *part;
        snprintf(included, sizeof included, "%.*s", (int)(end - found) - 10, found + 10);
        part = read_text(folder, included);
        text = realloc(text, size + (size_t)(found - rest) + strlen(part) + 1);
        if (!text) fail("realloc", "no memory");
        sprintf(text + size, "%.*s%s", (int)(found - rest), rest, part);
        size += strlen(text + size);
        rest = end + 1;
    }
    text = realloc(text, size + strlen(rest) + 1);
    if (!text) fail("realloc", "no memory");
    strcpy(text + size, rest);
    return text;
}

// A context that draws without a window: Mesa's without a surface, or else the default display.
static void open_context(void) {
    static const EGLint kind[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT, EGL_NONE};
    static const EGLint version[] = {EGL_CONTEXT_MAJOR_VERSION, 4, EGL_CONTEXT_MINOR_VERSION, 3, EGL_NONE};
    EGLDisplay display = eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, 0);
    EGLConfig config = 0;
    EGLContext context;
    EGLint found = 0;
    if (!eglInitialize(display, 0, 0)) {
        display = eglGetDisplay(EGL_DEFAULT_DISPLAY);
        if (!eglInitialize(display, 0, 0)) fail("EGL", "no display without a window");
    }
    eglBindAPI(EGL_OPENGL_API);
    eglChooseConfig(display, kind, &config, 1, &found);
    context = found ? eglCreateContext(display, config, EGL_NO_CONTEXT, version) : EGL_NO_CONTEXT;
    if (context == EGL_NO_CONTEXT || !eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context))
        fail("EGL", "no OpenGL 4.3 without a window");
}

static void open_target(int width, int height) {
    GLuint target, pixels, vertices;
    glGenVertexArrays(1, &vertices);
    glBindVertexArray(vertices);
    glGenRenderbuffers(1, &pixels);
    glBindRenderbuffer(GL_RENDERBUFFER, pixels);
    glRenderbufferStorage(GL_RENDERBUFFER, GL_RGBA8, width, height);
    glGenFramebuffers(1, &target);
    glBindFramebuffer(GL_FRAMEBUFFER, target);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, pixels);
}

static GLuint compile_shader(GLenum kind, int count, const char **strings) {
    const GLuint shader = glCreateShader(kind);
    GLint done;
    char log[2000];
    glShaderSource(shader, count, strings, 0);
    glCompileShader(shader);
    glGetShaderiv(shader, GL_COMPILE_STATUS, &done);
    glGetShaderInfoLog(shader, sizeof log, 0, log);
    if (!done) fail("shader", log);
    return shader;
}

static GLuint link_program(int count, const GLuint *shaders) {
    const GLuint program = glCreateProgram();
    GLint done;
    char log[2000];
    while (count > 0) glAttachShader(program, shaders[--count]);
    glLinkProgram(program);
    glGetProgramiv(program, GL_LINK_STATUS, &done);
    glGetProgramInfoLog(program, sizeof log, 0, log);
    if (!done) fail("program", log);
    return program;
}

// A PPM of 8 bits, the top row first. OpenGL counts rows from below.
static void write_picture(const char *path, int width, int height) {
    unsigned char *pixels = allocate((size_t)width * (size_t)height * 3);
    FILE *file = fopen(path, "wb");
    int row;
    glPixelStorei(GL_PACK_ALIGNMENT, 1);
    glReadPixels(0, 0, width, height, GL_RGB, GL_UNSIGNED_BYTE, pixels);
    if (glGetError() != GL_NO_ERROR) fail("OpenGL", "an error");
    if (!file) fail(path, "cannot be written");
    fprintf(file, "P6\n%d %d\n255\n", width, height);
    for (row = height - 1; row >= 0; --row) fwrite(pixels + (size_t)row * (size_t)width * 3, 3, (size_t)width, file);
    if (fclose(file)) fail(path, "cannot be written");
    free(pixels);
}

#endif
