"""Blocks that shaders/transcode.comp writes, against the encoders of engines: the `bc` table of tools/bench.py."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

import click
import numpy as np

import gstex
from benches.run import choose_cases, data_option, effort_option, endings, material_option, results_option
from benches.table import describe_run, typed_command, write_table
from gstex import metrics
from gstex.arrays import F64Array, FloatArray, U8Array, U32Array
from gstex.blocks import BlockMap, plan_maps
from gstex.cli.options import parse_rates
from gstex.compare.bc4 import decode_bc4
from gstex.errors import ExtraError
from gstex.gl import Transcoder, surfaceless
from gstex.json_types import JsonObject

__all__ = ["bc"]

COLUMNS = ("material", "bpp_asked", "map", "format", "psnr", "encoder", "psnr_encoder", "difference", "difference_cut")
_CHANNELS = {"bc1": 3, "bc4": 1, "bc5": 2, "bc7": 4}


@click.command()
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates, help="Rates of gstex.  [default: 1]")
@effort_option
@material_option("crop")
@data_option()
@results_option("the table goes")
@click.pass_context
def bc(
    context: click.Context, rates: list[float] | None, effort: str, names: tuple[str, ...], data: Path,
    results: Path,
) -> None:  # fmt: skip
    """Quality of blocks made on load, beside those of ispc_texcomp 'fast' and quicktex 18, on decoded 256x256 crops."""
    cases = choose_cases(data, "quick", names)
    with endings(context, results, keeps=False):
        rows = []
        with surfaceless() as opened:
            for case in cases:
                for rate in rates or [1.0]:
                    texture = gstex.compress(case.load(), bpp=rate, effort=effort, mips=False)
                    rows += [{"material": case.name, "bpp_asked": rate, **row} for row in _measure(texture)]
                    click.echo(f"{case.name} at {rate:g} bpp", err=True)
        packages = ("ispc_texcomp", "quicktex", "texture2ddecoder")
        about = {
            **describe_run(typed_command(context)), "settings": f"effort {effort}, mip 0, seed 0",
            "encoders": ", ".join(f"{name} {metadata.version(name)}" for name in packages),
            "shader": f"OpenGL {'.'.join(map(str, opened.version))}, {opened.renderer}",
            "difference_cut": "of BC1 with the values between its colours rounded down, as quicktex expects them",
        }  # fmt: skip
        title = "Blocks made on load against encoders, PSNR against the decoded map"
        for path in write_table(results, "bc", title, about, COLUMNS, rows):
            click.echo(path)


def _measure(texture: gstex.Texture) -> Iterator[JsonObject]:
    """A row for every map, and for colours in BC1 too."""
    planned = plan_maps(texture.table.header.channels)
    small = [BlockMap(f"{m.name} ", "bc1", m.sources, m.srgb) for m in planned if m.format == "bc7"]
    texels = [BlockMap(f"{m.name}_texels", "rgba8", m.sources) for m in planned]
    blocks: dict[str, U32Array] = {}
    for maps in (planned + small, texels):
        transcoder = Transcoder(texture, maps)
        blocks |= transcoder.blocks()
        transcoder.delete()
    for a_map in planned + small:
        rgba = np.ascontiguousarray(blocks[f"{a_map.name.strip()}_texels"]).view(np.uint8)
        channels = 3 if a_map.code == 8 else _CHANNELS[a_map.format]
        encoder, theirs = _encode(rgba, a_map.format, channels)
        ours = blocks[a_map.name].tobytes()
        psnr, other = (_psnr(rgba, _decode(data, a_map.format, rgba), channels) for data in (ours, theirs))
        row = {"map": a_map.name.strip(), "format": a_map.format, "psnr": psnr, "encoder": encoder,
               "psnr_encoder": other, "difference": psnr - other}  # fmt: skip
        if a_map.format == "bc1":
            cut = [_psnr(rgba, _decode_8_bits(data, "bc1", rgba), channels) for data in (ours, theirs)]
            row["difference_cut"] = f"{cut[0] - cut[1]:+.2f}"
        yield row


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ExtraError(f"bench bc needs {name.partition('.')[0]}: pip install gstex[compare]") from error


def _encode(rgba: U8Array, format: str, channels: int) -> tuple[str, bytes]:
    """Encode uint8 [h, w, 4]; returns (encoder and setting, blocks)."""
    height, width = rgba.shape[:2]
    if format == "bc7":
        ispc_texcomp = _module("ispc_texcomp")
        profile = "fast" if channels == 3 else "alpha_fast"
        settings = ispc_texcomp.BC7EncSettings.from_profile(profile)
        surface = ispc_texcomp.RGBASurface(rgba.tobytes(), width, height)
        return f"ispc_texcomp {profile}", ispc_texcomp.compress_blocks_bc7(surface, settings)
    bc1, bc4, bc5 = (_module(f"quicktex.s3tc.bc{number}") for number in (1, 4, 5))
    raw = _module("quicktex").RawTexture.frombytes(rgba.tobytes(), width, height)
    if format == "bc1":
        return "quicktex 18", bc1.BC1Encoder(18, bc1.BC1Encoder.ColorMode.ThreeColorBlack).encode(raw).tobytes()
    encoder = bc4.BC4Encoder(0) if format == "bc4" else bc5.BC5Encoder(0, 1)
    return "quicktex", encoder.encode(raw).tobytes()


def _decode(data: bytes, format: str, rgba: U8Array) -> FloatArray:
    """Decode blocks to [h, w, channels], 0 .. 255. Interpolated values are not rounded, as Direct3D defines them."""
    height, width = rgba.shape[:2]
    blocks = np.frombuffer(data, np.uint8)
    if format == "bc7":
        return _decode_8_bits(data, format, rgba)
    if format == "bc1":
        return _decode_bc1(blocks.reshape(-1, 8), height, width)
    halves = blocks.reshape(-1, 8 * _CHANNELS[format])
    planes = [decode_bc4(halves[:, 8 * c : 8 * c + 8], height, width) for c in range(_CHANNELS[format])]
    return 255.0 * np.stack(planes, axis=2)


def _decode_8_bits(data: bytes, format: str, rgba: U8Array) -> F64Array:
    height, width = rgba.shape[:2]
    bgra = np.frombuffer(getattr(_module("texture2ddecoder"), f"decode_{format}")(data, width, height), np.uint8)
    return bgra.reshape(height, width, 4)[:, :, [2, 1, 0, 3]].astype(float)


def _decode_bc1(blocks: U8Array, height: int, width: int) -> F64Array:
    colors = np.ascontiguousarray(blocks[:, :4]).view("<u2").astype(int)  # [n, 2]
    r, g, b = colors >> 11, colors >> 5 & 63, colors & 31
    first, second = np.moveaxis(np.stack([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2], axis=2), 1, 0)
    four = (colors[:, 0] > colors[:, 1])[:, None]
    third = np.where(four, (2 * first + second) / 3, (first + second) / 2)
    palette = np.stack([first, second, third, np.where(four, (first + 2 * second) / 3, 0)], axis=1)
    index = np.ascontiguousarray(blocks[:, 4:]).view("<u4") >> np.arange(0, 32, 2) & 3  # [n, 16]
    texels = np.take_along_axis(palette, index.astype(int)[:, :, None], axis=1)
    return texels.reshape(height // 4, width // 4, 4, 4, 3).transpose(0, 2, 1, 3, 4).reshape(height, width, 3)


def _psnr(rgba: U8Array, decoded: FloatArray, channels: int) -> float:
    off = (rgba[:, :, :channels] - decoded[:, :, :channels]) / 255
    return float(metrics.to_psnr(float((off**2).mean())))
