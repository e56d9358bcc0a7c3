"""What the tables of tools/bench.py share: options, the choice of materials, and how an incomplete run ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

import gstex
from benches.cases import PROTOTYPE, Case, list_cases, quick_cases, small_cases

__all__ = [
    "choose_cases", "data_option", "effort_option", "endings", "material_option", "pick", "results_option",
]  # fmt: skip

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_ROOT = Path(__file__).resolve().parents[2]
_CASES: dict[str | None, Callable[[Path], list[Case]]] = {
    "quick": quick_cases,
    "small": small_cases,
    "full": lambda data: list_cases(data, "whole"),
    None: lambda data: list_cases(data, "centre"),
}

effort_option = click.option("--effort", type=click.Choice(["draft", "fast", "normal", "thorough"]), default="normal",
                             show_default=True)  # fmt: skip


def material_option(what: str = "material") -> Decorator:
    """The option --material. what: the word for one thing to choose from."""
    return click.option("--material", "names", metavar="NAME", multiple=True,
                        help=f"Only this {what}; may be given many times.")  # fmt: skip


def data_option(what: str = "Folder of materials") -> Decorator:
    """The option --data. what: describes the folder."""
    return click.option("--data", type=click.Path(path_type=Path), default=_ROOT.parent / "shared" / "data",
                        help=f"{what}.  [default: ../shared/data beside the checkout]")  # fmt: skip


def results_option(what: str) -> Decorator:
    """The option --results. what: completes 'Where ...', such as 'the table goes'."""
    return click.option("--results", type=click.Path(path_type=Path, file_okay=False),
                        default=_ROOT / "benchmarks" / "results",
                        help=f"Where {what}.  [default: benchmarks/results]")  # fmt: skip


class HasName(Protocol):
    """An object that `pick` chooses by its name."""

    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=HasName)


def choose_cases(data: Path, mode: str | None, names: Sequence[str]) -> list[Case]:
    """The cases of a data folder. mode: 'quick' (the prototype's crops), 'small' (those and the centres of other
    materials, 256x256), 'full' (whole materials) or None (the centre, 512x512).

    names: only these, all if empty. Raises click's errors if no case is left.
    """
    if not data.is_dir():
        raise click.ClickException(
            f"{data}: no such folder of materials; give one with --data DIR (see docs/benchmarks.md)"
        )
    cases = _CASES[mode](data)
    picked = pick(cases, names)
    if not cases:
        lacking = f"none of {', '.join(PROTOTYPE)}" if mode == "quick" else "no material"
        raise click.ClickException(f"{data}: holds {lacking}; give a folder of materials with --data DIR")
    known = {case.name for case in cases}
    if mode == "quick" and not names and (missing := [name for name in PROTOTYPE if name not in known]):
        click.echo(f"left out, not in the data folder: {', '.join(missing)}", err=True)
    return picked


def pick(cases: Sequence[Named], names: Sequence[str], option: str = "--material") -> list[Named]:
    """The cases with these names, in their order; all without names. Raises BadParameter if a name is unknown."""
    known = [case.name for case in cases]
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known) or '(nothing found)'}",
                                 param_hint=option)  # fmt: skip
    return [case for case in cases if not names or case.name in names]


@contextlib.contextmanager
def endings(context: click.Context, results: Path, *, keeps: bool = True) -> Iterator[None]:
    """End a command as people expect: Ctrl-C gives exit code 130, and an error gives one line.

    results: the folder that is written. keeps: whether finished figures are kept, so that the same command can resume.
    """
    try:
        yield
    except KeyboardInterrupt:
        remark = "finished figures are kept, the same command goes on from there" if keeps else "nothing was kept"
        click.echo(f"\nstopped; {remark}", err=True)
        context.exit(130)
    except gstex.GstexError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"{results}: {reason}; give another folder with --results") from None
