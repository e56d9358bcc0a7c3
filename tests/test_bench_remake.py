"""The command that remakes all tables: what it takes for done, what it begins, and what it says is left."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from benches import remake as tool  # noqa: E402
from benches.store import meaning_of  # noqa: E402
from benches.table import is_counted  # noqa: E402


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tables, of which commands make nothing but a line in a file."""
    made = "import json,sys; json.dump({'gstex': '0.1.0, commit abc, code 123'}, open(sys.argv[1], 'w'))"
    (tmp_path / "make.py").write_text(made)
    monkeypatch.setattr(tool, "_RESULTS", tmp_path)
    monkeypatch.setattr(tool, "current_commit", lambda: "abc")
    monkeypatch.setattr(tool, "current_code", lambda: "123")
    tables = tuple(tool.Table(name, f"{tmp_path}/make.py {tmp_path}/{name}.json", minutes)
                   for name, minutes in (("short", 5), ("long", 500)))  # fmt: skip
    monkeypatch.setattr(tool, "TABLES", tables)
    return tmp_path


def test_what_the_hours_do_not_hold_is_left_and_named(results: Path) -> None:
    said = CliRunner().invoke(tool.remake, ["--hours", "1"])
    assert said.exit_code == 0, said.output
    assert (results / "short.json").exists() and not (results / "long.json").exists()
    assert "left: long (about 500 minutes)" in said.output
    assert "1 of 2 tables are of the present code, 123" in said.output


def test_a_table_of_this_code_is_not_made_again(results: Path) -> None:
    (results / "short.json").write_text(json.dumps({"gstex": "0.1.0, commit earlier, code 123", "kept": True}))
    (results / "long.json").write_text(json.dumps({"gstex": "0.1.0, commit older, code 000"}))
    said = CliRunner().invoke(tool.remake, ["--hours", "10"])
    assert said.exit_code == 0 and "2 of 2" in said.output
    assert json.loads((results / "short.json").read_text())["kept"]


def test_a_command_that_fails_does_not_stop_the_others(results: Path) -> None:
    (results / "make.py").write_text("import sys; sys.exit(3)")
    said = CliRunner().invoke(tool.remake, ["--hours", "10"])
    assert said.exit_code == 1
    assert "left: short (failed)" in said.output and "left: long (failed)" in said.output


def test_uncommitted_changes_are_refused(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "current_commit", lambda: "abc+changes")
    said = CliRunner().invoke(tool.remake, [])
    assert said.exit_code == 1 and "uncommitted changes" in said.output and not (results / "short.json").exists()


def test_comments_docstrings_and_types_are_no_code(tmp_path: Path) -> None:
    texts = {"a.py": ('"""One."""\nX = 1  # two\n', "X = 1\n", "X = 2\n"),
             "b.py": ("from typing import Any\nx: int = 1\ndef f(a: int) -> Any:\n    b: int = a\n    return b\n",
                      'x: float = 1\ndef f(a: "Any") -> int:\n    """F."""\n    b: float = a\n    return b\n',
                      "x: int = 1\ndef f(a: int = 1) -> int:\n    b: int = a\n    return b\n"),
             "c.py": ("from a import B\n__all__ = ['x']\nA: TypeAlias = int\nx: B = 1\n",
                      "if TYPE_CHECKING:\n    import a\nclass D(Protocol):\n    def f(self) -> int: ...\nx: D = 1\n",
                      "from a import B\nx: int = B\n"),
             "a.cpp": ("int x = 1; // one\n/* two */", "int   x = 1;", "int x = 2;")}  # fmt: skip
    for name, versions in texts.items():
        meanings = []
        for text in versions:
            (tmp_path / name).write_text(text)
            meanings.append(meaning_of(tmp_path / name))
        assert meanings[0] == meanings[1] != meanings[2]
    (tmp_path / "e.py").write_text('"""Types."""\nimport a.b\nA: TypeAlias = a.b\n"""An A."""\n')
    assert not meaning_of(tmp_path / "e.py")


def test_what_only_shows_results_makes_no_table_stale() -> None:
    assert is_counted("gstex/encode/trainer.py") and is_counted("shaders/gstex.glsl")
    assert is_counted("gstex/cli/progress.py") and is_counted("tools/benches/table.py")
    assert not any(map(is_counted, ("gstex/cli/info.py", "gstex/view/window.py", "tools/benches/remake.py",
                                    "gstex/report/page.py", "gstex/page.css")))  # fmt: skip


def test_every_command_is_there() -> None:
    import bench

    for table in tool.TABLES:
        script, *words = table.command.split()
        assert (ROOT / script).exists(), table.command
        if script == "tools/bench.py":
            known = {name for p in bench.bench.commands[words[0]].params for name in (*p.opts, *p.secondary_opts)}
            assert {word for word in words if word.startswith("--")} <= known, table.command
