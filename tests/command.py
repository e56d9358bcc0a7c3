"""Runs the `gstex` command inside the test process."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from gstex import native
from gstex.cli import main
from gstex.cli.app import cli

_CONTEXT = click.Context(cli)
COMMANDS = {name: cli.get_command(_CONTEXT, name) for name in cli.list_commands(_CONTEXT)}


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    def error(self) -> str:
        """The one line of the error, without its prefix, after the checks that hold for every error."""
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("gstex: error: ")]
        assert self.code != 0
        assert len(errors) == 1 and lines[-1] == errors[0], self.err
        assert "Traceback" not in self.err and "this is a bug" not in self.err, self.err
        assert self.out == ""
        return errors[0].removeprefix("gstex: error: ")


class Command:
    """`command("info", path)` runs `gstex info path`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: str | Path) -> Ran:
        self._monkeypatch.setattr(sys, "argv", ["gstex", *map(str, arguments)])
        self._monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # main changes it
        self._capfd.readouterr()
        threads = native.thread_count()  # --threads changes it
        with pytest.raises(SystemExit) as exit:
            main()
        native.set_thread_count(threads)
        out, err = self._capfd.readouterr()
        return Ran(int(exit.value.code or 0), out, err)
