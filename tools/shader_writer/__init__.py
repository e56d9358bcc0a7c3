"""Modules of write_shaders.py: GLSL is parsed (glsl_syntax), gets types (glsl_types), and is printed as HLSL and Metal
(printer) or as WGSL (wgsl)."""
