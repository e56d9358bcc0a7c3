"""The tables of bytes in README.md and docs/benchmarks.md, from the tables in benchmarks/results.

    python tools/doc_tables.py           # writes them into the documents
    python tools/doc_tables.py --check   # says whether they are up to date; exits with 1 if not

`bench.py compare` and `bench.py disk` make what they are taken from. A table in a document is found by its first line.
"""

import csv
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
NAMES = {
    "brick_wall_005": "brick wall", "clay_roof_tiles": "clay roof tiles", "concrete042b": "concrete",
    "corrugated_steel007b": "corrugated steel", "fabric_pattern_07": "woven cloth", "flight_helmet_mat3": "helmet",
    "metal_walkway006": "worn walkway", "moss": "moss", "terrazzo004": "terrazzo", "texture_rock": "rough rock",
    "trim_misc_1": "trim sheet",
}  # fmt: skip
README_HEAD = "| material | ASTC | gstex |"
QUALITY_HEAD = ("| material | bits per texel: ASTC, gstex | ratio | with all mips | farthest map | no map 2 dB below | "
                "lit | lit, no map 2 dB below | angle | angle, no map 2 dB below | candidates |")  # fmt: skip
DISK_HEAD = ("| material | PSNR | gstex | ASTC, zstd | BC, zstd | Basis: ETC1S, UASTC | Basis with XUASTC | "
             "ETC1S -q 128: PSNR, its bytes, those of gstex |")  # fmt: skip
DISK_BPP = "1"  # the rate of its rows

Row = Mapping[str, str]
Rows = Mapping[tuple[str, str], Row]  # by material and criterion, of one quality


def read_rows(path: Path, quality: str) -> Rows:
    """The rows of a `compare` table at the quality of one ASTC block size, such as '12x12'."""
    rows = [row for row in _rows(path) if row["quality"] == f"ASTC {quality}"]
    return {(row["material"], row["criterion"]): row for row in rows}


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(cell: str) -> float:
    """The number of a cell, which may begin with '>' where a quality is out of reach."""
    return float(cell.lstrip("<>="))


def times(value: float) -> str:
    """A ratio with two digits."""
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def rate(cell: str) -> str:
    """Bits per texel with three digits."""
    value = number(cell)
    return ("over " if cell.startswith(">") else "") + (f"{value:.3f}" if value < 1 else f"{value:.2f}")


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def readme_table(rows: Rows) -> list[str]:
    """The rows of the table of README.md, at the bytes at which no map is 2 dB below."""
    def line(material: str) -> str:
        row = rows[material, "psnr"]
        ratio, bpp = row["astc_ratio_within"], row["gstex_bpp_within"]
        if bpp.startswith(">"):
            return f"| {NAMES[material]} | {number(row['astc_bpp']):.2f} | over {number(bpp):.2f} |"
        smaller = f"{times(number(ratio))}x smaller"
        return f"| {NAMES[material]} | {number(row['astc_bpp']):.2f} | {number(bpp):.2f} ({smaller}) |"

    return [line(material) for material in _sorted(rows, "astc_ratio_within")]


def quality_table(rows: Rows) -> list[str]:
    """The rows of a table of docs/benchmarks.md."""
    def cell(row: Row, ratio: str, bpp: str) -> str:
        return ("below " if row[bpp].startswith(">") else "") + times(number(row[ratio]))

    materials = _sorted(rows, "astc_ratio")
    lines = []
    for material in materials:
        psnr, lit, angle = (rows[material, criterion] for criterion in ("psnr", "shaded", "angle"))
        cells = [material, f"{rate(psnr['astc_bpp'])}, {rate(psnr['gstex_bpp'])}",
                 cell(psnr, "astc_ratio", "gstex_bpp"), cell(psnr, "astc_ratio_mips", "gstex_bpp"),
                 f"{psnr['worst_map']}, {number(psnr['worst_map_db']):.1f} dB",
                 cell(psnr, "astc_ratio_within", "gstex_bpp_within")]  # fmt: skip
        for row in (lit, angle):
            cells += [cell(row, "astc_ratio", "gstex_bpp"), cell(row, "astc_ratio_within", "gstex_bpp_within")]
        lines.append("| " + " | ".join([*cells, f"{number(psnr['candidates_mean']):.0f}"]) + " |")

    def mean(criterion: str, column: str) -> str:
        return f"{geometric_mean([number(rows[m, criterion][column]) for m in materials]):.1f}"

    candidates = sum(number(rows[m, "psnr"]["candidates_mean"]) for m in materials) / len(materials)
    means = [mean("psnr", "astc_ratio"), mean("psnr", "astc_ratio_mips"), "", mean("psnr", "astc_ratio_within")]
    means += [mean(c, column) for c in ("shaded", "angle") for column in ("astc_ratio", "astc_ratio_within")]
    lines.append("| geometric mean | | " + " | ".join([*means, f"mean {candidates:.0f}"]).replace("|  |", "| |") + " |")
    return lines


def disk_table(disk: Sequence[Row], etc1s: Sequence[Row]) -> list[str]:
    """The rows of the table of bytes on disk; `disk` and `etc1s` are the tables of `bench.py disk`."""
    usual = {row["material"]: row for row in etc1s}
    bounds = {"<": "at most ", ">": "over "}
    rivals = (("astc_zstd", "astc_ratio"), ("bc_zstd", "bc_ratio"), ("basis", "basis_ratio"),
              ("basis_all", "basis_all_ratio"))  # fmt: skip
    lines = []
    for row in sorted((r for r in disk if r["bpp_asked"] == DISK_BPP and r["psnr"]),
                      key=lambda r: (-number(r["astc_ratio"]), r["material"])):  # fmt: skip
        cells = [row["material"], f"{row['psnr']} dB", row["gstex_bytes"]]
        cells += [f"{row[size].lstrip('<>=')} ({row[ratio]})" for size, ratio in rivals]
        other = usual[row["material"]]
        equal = bounds.get(other["gstex_bytes"][0], "") + other["gstex_bytes"].lstrip("<>=")
        lines.append("| " + " | ".join([*cells, f"{other['psnr']} dB: {other['etc1s']}, {equal}"]) + " |")
    for row in disk:
        if row["material"] == "geometric mean":
            ratios = " | ".join(row[ratio] for _, ratio in rivals)
            lines.append(f"| geometric mean at {row['bpp_asked']} bpp | | | {ratios} | |")
    return lines


def _sorted(rows: Rows, ratio: str) -> list[str]:
    materials = {material for material, _ in rows}
    return sorted(materials, key=lambda material: (-number(rows[material, "psnr"][ratio]), material))


def replaced(text: str, head: str, tables: Sequence[list[str]]) -> str:
    """The text with these rows in its tables that begin with the line `head`, in their order.

    Raises:
        ValueError: the text has another number of such tables.
    """
    lines, result, left = text.split("\n"), [], list(tables)
    position = 0
    while position < len(lines):
        result.append(lines[position])
        position += 1
        if result[-1] != head:
            continue
        if not left:
            raise ValueError(f"more than {len(tables)} tables begin with {head!r}")
        result += [lines[position], *left.pop(0)]
        while lines[position].startswith("|"):
            position += 1
    if left:
        raise ValueError(f"{len(tables) - len(left)} tables begin with {head!r}, expected {len(tables)}")
    return "\n".join(result)


def documents() -> dict[Path, str]:
    """What the documents should hold, by path."""
    coarse, fine = RESULTS / "format2" / "compare.csv", RESULTS / "format2" / "fine" / "compare.csv"
    rows = [read_rows(coarse, "12x12"), read_rows(fine, "8x8"), read_rows(fine, "6x6")]
    disk = disk_table(_rows(RESULTS / "disk.csv"), _rows(RESULTS / "disk-etc1s.csv"))
    wanted: dict[str, Callable[[str], str]] = {
        "README.md": lambda text: replaced(text, README_HEAD, [readme_table(rows[0])]),
        "docs/benchmarks.md": lambda text: replaced(replaced(text, DISK_HEAD, [disk]), QUALITY_HEAD,
                                                    [quality_table(r) for r in rows]),
    }  # fmt: skip
    return {ROOT / name: change((ROOT / name).read_text(encoding="utf-8")) for name, change in wanted.items()}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a table is not up to date.")
def main(check: bool) -> None:
    """Write the tables of bytes into the documents."""
    stale = [path for path, text in documents().items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        if not check:
            path.write_text(documents()[path], encoding="utf-8")
        click.echo(f"{path.relative_to(ROOT)}: {'has tables that are not up to date' if check else 'written'}")
    sys.exit(check and bool(stale))


if __name__ == "__main__":
    main()
