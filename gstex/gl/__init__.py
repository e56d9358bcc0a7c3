"""OpenGL for shaders/gstex.glsl: a context without a window, programs, and buffers of words.

The viewer, the tests and tools use it. An engine needs only the .glsl file. PyOpenGL comes with the extra `view` and is
imported by nothing but the modules of this package.
"""

from .buffer import WordBuffer, join_words
from .channels import channel_uniforms, material_block, unit_uniforms
from .context import Context, current_context, surfaceless
from .expanded import expand
from .program import Program, compute_program, draw_program, read_shader
from .transcode import Transcoder

__all__ = [
    "Context", "Program", "Transcoder", "WordBuffer", "channel_uniforms", "compute_program", "current_context",
    "draw_program", "expand", "join_words", "material_block", "read_shader", "surfaceless", "unit_uniforms",
]  # fmt: skip
