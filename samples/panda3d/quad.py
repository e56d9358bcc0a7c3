"""Draws a lit quad with a .gstex material in Panda3D, sampled in the shader, without a window.

    pip install panda3d
    python samples/panda3d/quad.py wall.gstex picture.png

The words of the file go into a ShaderBuffer, a storage buffer of GLSL, where shaders/gstex.glsl reads them: there are
no textures. For a window, leave "window-type offscreen" out and call `app.run()`.
"""

import sys
from pathlib import Path

from panda3d.core import CardMaker, GeomEnums, OrthographicLens, Shader, ShaderBuffer, loadPrcFileData

import gstex

SIZE = 256  # of the picture, pixels
REPEATS = 2  # of the material along each edge of the quad
DECODER = Path(__file__).resolve().parents[2] / "shaders" / "gstex.glsl"

VERTEX = """#version 430
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 p3d_Vertex;
in vec2 p3d_MultiTexCoord0;
out vec2 uv;
void main() {
    uv = p3d_MultiTexCoord0;
    gl_Position = p3d_ModelViewProjectionMatrix * p3d_Vertex;
}
"""
# After gstex.glsl. The tangent's +X goes with u, its +Y up in the picture.
FRAGMENT = """
in vec2 uv;
out vec4 color;
const vec3 to_lamp = vec3(-0.4735, 0.5208, 0.7103); // of length 1
const float ambient = 0.25;
void main() {
    GstexValue value = gstex_sample_grad(0u, uv, dFdx(uv), dFdy(uv));
    GstexSurface surface = gstex_surface(0u, value, gstex_find_channels(0u));
    float light = ambient * surface.ao + max(dot(surface.normal, to_lamp), 0.0);
    color = gstex_to_srgb(vec4(surface.albedo * light + surface.emissive, 1.0));
}
"""


def make_shader(texture: gstex.Texture) -> Shader:
    """The shader of a material: gstex.glsl, compiled for its number of channels and its largest top K."""
    vec4s = -(-texture.channels // 4)
    top_k = max((group.header.top_k for group in texture.table.groups), default=0)
    defines = f"#version 430\n#define GSTEX_VEC4S {vec4s}\n#define GSTEX_MAX_K {top_k}\n"
    return Shader.make(Shader.SL_GLSL, VERTEX, defines + DECODER.read_text(encoding="utf-8") + FRAGMENT)


def main(file: str, picture: str) -> None:
    try:
        texture = gstex.load(file)  # checks that the words are sound: the shader trusts them
    except gstex.GstexError as error:
        raise SystemExit(str(error)) from None
    loadPrcFileData("", f"window-type offscreen\nload-display p3headlessgl\nwin-size {SIZE} {SIZE}\ngl-version 4 3\n"
                        "audio-library-name null\nnotify-level-display error")  # fmt: skip
    from direct.showbase.ShowBase import ShowBase  # it reads the configuration

    app = ShowBase()
    lens = OrthographicLens()
    lens.set_film_size(2, 2)
    app.cam.node().set_lens(lens)
    maker = CardMaker("quad")
    maker.set_frame(-1, 1, -1, 1)
    maker.set_uv_range((0, REPEATS), (REPEATS, 0))  # bottom left, top right: v of a file points down
    quad = app.render.attach_new_node(maker.generate())
    quad.set_y(5)
    quad.set_shader(make_shader(texture))
    words = texture.words.astype("<u4").tobytes()
    quad.set_shader_input("GstexWords", ShaderBuffer("GstexWords", words, GeomEnums.UH_static))  # the name of the block
    app.graphicsEngine.render_frame()
    if not app.win.save_screenshot(picture):
        raise SystemExit(f"{picture}: cannot be written; check its folder and the name's ending")
    app.destroy()
    print(f"{picture}: {SIZE}x{SIZE}, {len(words)} bytes in the buffer")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: quad.py FILE.gstex PICTURE.png")
    main(*sys.argv[1:])
