"""Write a .gstex file as an engine includes it: the GPU section as a raw buffer, the decoder's source, and a header
with the constants of the file: channel numbers, scales and biases, sizes, and defines."""

import re
from pathlib import Path

import numpy as np

from gstex import __version__
from gstex.errors import OutputError
from gstex.files import replace_file
from gstex.format import ChannelEntry
from gstex.resources import source_path
from gstex.texture import Texture
from gstex.transcode.plan import map_channels, map_names

__all__ = ["TARGETS", "export", "export_names"]

# target -> the decoder, and the extension of the header
TARGETS = {
    "glsl": ("shaders/gstex.glsl", ".glsl"),
    "hlsl": ("shaders/gstex.hlsl", ".hlsl"),
    "wgsl": ("shaders/gstex.wgsl", ".wgsl"),
    "metal": ("shaders/gstex.metal", ".metal"),
    "c": ("native/gstex.h", ".h"),
}


def export_names(name: str, target: str) -> list[str]:
    """Names of the files that `export` writes: buffer, header, decoder."""
    decoder, extension = TARGETS[target]
    return [f"{name}.bin", f"{name}{extension}", Path(decoder).name]


def export(texture: Texture, folder: str | Path, name: str, *, target: str, force: bool = False) -> list[Path]:
    """Write the three files.

    WGSL has no preprocessor, so its decoder is written with the options that the file needs. If the folder already
    holds a decoder with larger options, those are kept.

    Args:
        name: of the material. The names of files and constants are made from it.
        target: a key of TARGETS.
        force: replace files that were not exported from a file of the same name.

    Returns:
        Paths of the buffer (uint32, little-endian, `Texture.words`), the header, and the decoder.

    Raises:
        OutputError: a file cannot be written, or another file is in its place.
    """
    folder = Path(folder)
    names = export_names(name, target)
    decoder = source_path(TARGETS[target][0]).read_text(encoding="utf-8")
    header = _header(texture, name, target)
    paths = [folder / file_name for file_name in names]
    if target == "wgsl":
        decoder = _with_options(decoder, texture, paths[2])
    contents = [texture.words.astype("<u4").tobytes(), header.encode(), decoder.encode()]
    if len({path.name.lower() for path in paths}) < 3:
        raise OutputError(f"{paths[1]}: is the name of the decoder; rename the .gstex file")
    if not force:
        _check(paths, contents, header)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror or error}); give another name") from None
    for path, content in zip(paths, contents, strict=True):
        replace_file(path, content)
    return paths


def _check(paths: list[Path], contents: list[bytes], header: str) -> None:
    """Refuse to replace a file that is neither identical nor an earlier export of the same name."""
    _, head, decoder = paths
    first = header.partition("\n")[0].encode()
    exported = head.is_file() and head.read_bytes().partition(b"\n")[0] == first
    of_ours = contents[2].partition(b":")[0]  # "// gstex.h"
    for path, content in zip(paths, contents, strict=True):
        if not path.exists():
            continue
        there = path.read_bytes() if path.is_file() else b""
        ours = there.startswith(of_ours + b":") if path == decoder else exported
        if not path.is_file() or (there != content and not ours):
            raise OutputError(f"{path}: already exists and was not exported from a file of this name; give another "
                              "folder, or --force to replace it")


def _identifier(name: str) -> str:
    """A macro prefix that C and GLSL allow: without two underscores in a row, and not a reserved name."""
    text = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"M_{text}" if not text or text[0].isdigit() or text.partition("_")[0] in ("GL", "GSTEX") else text


def _options(texture: Texture) -> dict[str, int]:
    """The least options to compile the decoder with. Several materials in one shader need the largest of each."""
    return {"GSTEX_VEC4S": max(-(-texture.channels // 4), 1), "GSTEX_MAX_K": _max_k(texture)}


def _with_options(decoder: str, texture: Texture, path: Path) -> str:
    """gstex.wgsl with the options that a texture needs, or the larger ones of a gstex.wgsl at `path`."""
    there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for name, value in _options(texture).items():
        line = rf"const {name}: i32 = (\d+);"
        before = re.search(line, there) if there.startswith("// gstex.wgsl:") else None
        least = max(value, int(before[1])) if before else value
        decoder, replacements = re.subn(line, f"const {name}: i32 = {least};", decoder)
        if replacements != 1:
            raise ValueError(f"gstex.wgsl: expected one {name}")
    return decoder


def _header(texture: Texture, name: str, target: str) -> str:
    prefix = _identifier(name)
    decoder = Path(TARGETS[target][0]).name
    lines = [f"// Exported from {name}.gstex: the constants of {name}.bin. `gstex export` writes it anew.",
             f"// By gstex {__version__}. {'It stands beside' if target == 'wgsl' else 'Include it before'} {decoder}.",
             ""]  # fmt: skip
    if target == "c":
        lines += [f"#ifndef {prefix}_H", f"#define {prefix}_H", ""]
    rows = [*_sizes(texture, prefix), ("", "", ""), *_channels(texture.table.header.channels, prefix, target)]
    width = max(len(key) for key, _, _ in rows)
    value_width = max(len(value) for _, value, _ in rows)
    for key, value, note in rows:
        line = f"const {key:<{width}} = {value + ';':<{value_width + 1}}" if target == "wgsl" else (
            f"#define {key:<{width}} {value:<{value_width}}")  # fmt: skip
        lines.append(f"{line}  // {note}".rstrip(" /") if key else "")
    lines += ["", *({"c": ["#endif"], "wgsl": _assertions(texture)}.get(target) or _defines(texture))]
    return "\n".join(lines) + "\n"


def _sizes(texture: Texture, prefix: str) -> list[tuple[str, str, str]]:
    header = texture.table.header
    return [(f"{prefix}_{key}", str(value), note) for key, value, note in (
        ("WORDS", len(texture.words), "of 32 bits in the buffer"),
        ("RESIDENT_WORDS", header.resident_words, "that the tail needs"),
        ("SIZE_X", header.width, "texels of mip 0"),
        ("SIZE_Y", header.height, ""),
        ("MIPS", header.mip_count, ""),
        ("TAIL", header.tail, "first mip of the tail; MIPS if there is none"),
        ("CHANNELS", len(header.channels), ""),
        ("GROUPS", len(texture.table.groups), ""),
        ("REPEAT", int(header.repeat), "1: repeats, 0: clamps at its border"),
        ("BILINEAR", int(header.bilinear), "1: fitted for four fetches, 0: for one evaluation at the point"),
        ("MAX_K", _max_k(texture), "largest top K of a group; 0: all candidates are blended"),
        ("CANDIDATES_MAX", texture.table.candidates_max, "Gaussians that a texel looks at, at most"),
    )]  # fmt: skip


def _max_k(texture: Texture) -> int:
    return max((group.header.top_k for group in texture.table.groups), default=0)


def _channels(channels: tuple[ChannelEntry, ...], prefix: str, target: str) -> list[tuple[str, str, str]]:
    """(name, value, note) of the constants of each map: channel numbers, encoding, and what 0..1 stands for."""
    rows = []
    maps = map_channels(channels)
    for indices, name in zip(maps, map_names([channels[i[0]].role for i in maps]), strict=True):
        key = f"{prefix}_{name.upper()}"
        first = channels[indices[0]]
        for index in indices:
            channel = channels[index]
            part = "" if channel.component == "v" else f"_{channel.component.upper()}"
            note = ("" if channel.constant is None
                    else f"constant {_number(min(max(channel.constant, 0.0), 1.0), 'glsl')}")  # fmt: skip
            rows.append((key + part, str(index), note))
        rows.append((f"{key}_SRGB", str(int(first.srgb)), "1: values are sRGB-encoded"))
        if first.role == "normal":
            flipped = any(channels[i].flipped for i in indices)
            rows.append((f"{key}_FLIPPED", str(int(flipped)), "1: Y points down (DirectX)"))
        rows.append((f"{key}_SCALE", _number(first.scale, target), "a value v stands for BIAS + SCALE * v"))
        rows.append((f"{key}_BIAS", _number(first.bias, target), ""))
        if first.stops:
            rows.append((f"{key}_STOPS", _number(first.stops, target), "for BIAS + SCALE * (exp2(STOPS * v) - 1)"))
    return rows


def _number(value: float, target: str) -> str:
    """A float32 as a literal with the same bits."""
    suffix = "f" if target in ("c", "metal") else ""
    text = np.format_float_scientific(np.float32(value), trim="0") if value and not 1e-3 <= abs(value) < 1e6 else (
        np.format_float_positional(np.float32(value), trim="0"))  # fmt: skip
    return f"({text}{suffix})" if value < 0 else f"{text}{suffix}"


def _assertions(texture: Texture) -> list[str]:
    """The lines that a WGSL compiler checks."""
    return [f"const_assert {name} >= {least}; // exporting this material beside gstex.wgsl makes it large enough"
            for name, least in _options(texture).items()]  # fmt: skip


def _defines(texture: Texture) -> list[str]:
    """The defines for GLSL, HLSL and Metal."""
    lines = []
    for name, least in _options(texture).items():
        lines += [
            f"#ifndef {name}", f"#define {name} {least}", f"#elif {name} < {least}",
            f"#error {name} is too small for this material: define it as {least} or more before the first include",
            "#endif",
        ]  # fmt: skip
    return lines
