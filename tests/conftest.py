"""Fixtures for all tests."""

from pathlib import Path

import pytest
from command import Command


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path) -> Command:
    """The gstex command, in an empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Command(monkeypatch, capfd)
