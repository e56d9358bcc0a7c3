"""All tables that README and docs quote, by the present code: the `remake` command of tools/bench.py."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from benches.table import current_code, current_commit

__all__ = ["TABLES", "Table", "is_remade", "remake"]

_ROOT = Path(__file__).resolve().parents[2]
_RESULTS = _ROOT / "benchmarks" / "results"
# Of the bench set, without its single pictures.
MATERIALS = (
    "brick_wall_005", "clay_roof_tiles", "concrete042b", "corrugated_steel007b", "fabric_pattern_07",
    "flight_helmet_mat3", "metal_walkway006", "moss", "terrazzo004", "texture_rock", "trim_misc_1",
)  # fmt: skip
_ALL = " ".join(f"--material {name}" for name in MATERIALS)
_SAMPLED = "--material flight_helmet_mat3 --material terrazzo004 --material trim_misc_1"


@dataclass(frozen=True)
class Table:
    """file: its JSON file below benchmarks/results, without suffix. command: makes the table. minutes: about, on two
    cores."""

    file: str
    command: str
    minutes: int

    @property
    def arguments(self) -> list[str]:
        """The words of the command, run by the current Python interpreter."""
        words = shlex.split(self.command)
        folder = str(Path(self.file).parent)
        results = [] if folder == "." else ["--results", f"benchmarks/results/{folder}"]
        return [sys.executable, *words, *results]


# The quick ones come first, then those that most figures of the docs depend on.
TABLES = (
    Table("jobs", "tools/bench.py jobs", 1),
    Table("rate", "tools/bench.py rate --effort fast", 1),
    Table("checkpoint", "tools/bench.py checkpoint --side 256 --every 1", 1),
    Table("progress-compress", "tools/bench.py progress --command compress", 1),
    Table("progress-compare", "tools/bench.py progress --command compare", 6),
    Table("progress-batch", "tools/bench.py progress --command batch", 1),
    Table("bc", "tools/bench.py bc --bpp 1 --effort fast", 5),
    Table("glsl-cost", "tools/glsl_cost.py", 1),
    Table("expanded-cost", "tools/expanded_cost.py", 1),
    Table("mips", "tools/bench.py mips", 6),
    Table("scale", "tools/bench.py scale", 1),
    Table("importance", "tools/bench.py importance", 10),
    Table("restore", "tools/bench.py restore", 15),
    Table("filtering", "tools/bench.py filtering", 10),
    Table("top-k", "tools/bench.py top-k", 1),
    Table("groups-1/rd", "tools/bench.py rd --no-mips --bpp 1 --groups 1 --material corrugated_steel007b "
          "--material texture_rock", 1),
    Table("groups-auto/rd", "tools/bench.py rd --no-mips --bpp 1 --groups auto --material corrugated_steel007b "
          "--material texture_rock", 1),
    Table("sampling-direct/rd", f"tools/bench.py rd --sampling direct --bpp 2,8 {_SAMPLED}", 15),
    Table("sampling-bilinear/rd", f"tools/bench.py rd --sampling bilinear --bpp 2,8 {_SAMPLED}", 15),
    Table("format2/compare", f"tools/bench.py compare --quality 12x12 --codecs astc --no-image-gs {_ALL}", 60),
    Table("format2/bound", "tools/bench.py bound", 5),
    Table("format2/fine/compare", "tools/bench.py compare --quality 8x8 --quality 6x6 --codecs astc --no-image-gs "
          f"{_ALL}", 180),
    Table("disk", "tools/bench.py disk", 30),
    Table("rd-quick", "tools/bench.py rd --quick", 20),
    Table("images", "tools/bench.py images --effort fast", 20),
    Table("compare-quick", "tools/bench.py compare --quick --quality 12x12 --criterion psnr --image-gs-steps 2000", 60),
)  # fmt: skip


def is_remade(table: Table, code: str) -> bool:
    """Whether the table was made by this code; comments and documents may have changed since."""
    path = _RESULTS / f"{table.file}.json"
    try:
        about = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    return bool(about.get("gstex", "").endswith(f"code {code}"))


@click.command()
@click.option("--hours", type=click.FloatRange(min=0), default=8.0, show_default=True,
              help="No table is begun that would take longer than what is left of them.")
@click.option("--list", "only_list", is_flag=True, help="Say what is to be done, and do nothing.")
@click.pass_context
def remake(context: click.Context, hours: float, only_list: bool) -> None:
    """All tables that README and docs quote, as far as the hours go. Call it again for what is left."""
    code = current_code()
    if current_commit().endswith("+changes") and not only_list:
        raise click.ClickException("there are uncommitted changes; commit them: tables name the commit they are of")
    ends, failed = time.monotonic() + 3600 * hours, []
    for table in TABLES:
        if only_list or is_remade(table, code) or time.monotonic() + 60 * table.minutes > ends:
            continue
        click.echo(f"{table.file}: {table.command}", err=True)
        if subprocess.run(table.arguments, cwd=_ROOT, check=False).returncode:
            failed.append(table)
    left = [table for table in TABLES if not is_remade(table, code)]
    for table in left:
        state = "failed" if table in failed else f"about {table.minutes} minutes"
        click.echo(f"left: {table.file} ({state}): python {table.command}")
    click.echo(f"{len(TABLES) - len(left)} of {len(TABLES)} tables are of the present code, {code}")
    if failed:
        context.exit(1)
