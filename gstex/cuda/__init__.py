"""Decode, sample and transcode on an NVIDIA GPU. CuPy (the `cuda` extra) is needed for use, not for import.

    texture = gstex.cuda.GpuTexture(gstex.load("material.gstex"))
    values = texture.sample(uv)  # uv [M, 2], an array of CuPy or a tensor of torch on the GPU
    words = gstex.cuda.expand(texture)  # the expanded form, for shaders/gstex_expanded.glsl
"""

from .decode import GpuTexture
from .device import CupyDevice, Device, Kernel, open_device
from .expanded import expand
from .source import kernel_source
from .transcode import Transcoder

__all__ = ["CupyDevice", "Device", "GpuTexture", "Kernel", "Transcoder", "expand", "kernel_source", "open_device"]
