"""Plain text for a terminal: tables, sizes, and strings from files made safe to print."""

from collections.abc import Mapping, Sequence

from gstex.json_types import JsonView

__all__ = ["bytes_line", "count", "decibels", "format_table", "one_line", "printable", "size"]


def printable(text: object) -> str:
    """`text` with every control character escaped, because names in a file may hold terminal control codes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def one_line(text: object) -> str:
    """`text` on one line, for an error message."""
    return printable(" ".join(line.strip() for line in str(text).splitlines()))


def size(byte_count: int) -> str:
    """24576 -> '24.0 KiB (24576 bytes)'."""
    if byte_count < 1024:
        return f"{byte_count} bytes"
    unit, name = (1024, "KiB") if byte_count < 1024**2 else (1024**2, "MiB")
    return f"{byte_count / unit:.1f} {name} ({byte_count} bytes)"


def bytes_line(facts: JsonView) -> str:
    """A line on the parts of a file, in KiB and bits per texel. facts: of `Texture.info` or `Texture.report`."""
    whole, on_gpu = facts["file_bytes"], facts["gpu_bytes"]
    mips = on_gpu - facts["mip_0_bytes"]
    parts = {"full size": on_gpu - mips, "mips": mips, "description": whole - on_gpu}
    listed = ", ".join(f"{name} {value / 1024:.1f}" for name, value in parts.items() if value)
    bits = 8 * whole / (facts["width"] * facts["height"])
    return f"  bytes       {listed} KiB; {bits:.3f} bits per texel in all"


def count(number: int, noun: str) -> str:
    """1, 'mip' -> '1 mip'; 2, 'mip' -> '2 mips'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def decibels(psnr: float | None) -> str:
    """31.234 -> '31.23 dB'; None, which stands for an exact match, -> 'exact'."""
    return "exact" if psnr is None else f"{psnr:.2f} dB"


def format_table(rows: Sequence[JsonView], columns: Mapping[str, str]) -> list[str]:
    """The lines of a table with aligned columns. No cell is cut or wrapped.

    Args:
        rows: one mapping per line; a missing key leaves its column empty.
        columns: key of a row -> heading.
    """
    body = [[printable(row.get(key, "")) for key in columns] for row in rows]
    lines = [list(columns.values()), *body]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines]
