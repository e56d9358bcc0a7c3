"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest
from command import Command


def pytest_configure(config: pytest.Config) -> None:
    """Of several processes that test at once, each has one thread of torch: they would wait for one another."""
    if hasattr(config, "workerinput"):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path) -> Command:
    """The gstex command, in an empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Command(monkeypatch, capfd)
