"""tools/list_messages.py: it finds errors, notes, texts of C and help, each where it stands."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def listed(*arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, ROOT / "tools" / "list_messages.py", *arguments], capture_output=True,
                          text=True, check=True)  # fmt: skip
    return done.stdout.splitlines()


def place(path: str, text: str) -> str:
    """path:line of the only line that holds `text`."""
    [line] = [n for n, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1) if text in line]
    return f"{path}:{line}: "


def test_texts_stand_with_their_places() -> None:
    errors = listed("errors", "--under", "gstex/files.py")
    assert place("gstex/files.py", "is not a file;") + "{path}: is not a file; give another name" in errors
    assert not any("Write a file in one step" in line for line in listed("notes", "--under", "gstex/files.py"))
    notes = listed("notes", "--under", "gstex/cli/text.py")
    assert place("gstex/cli/text.py", "f\"{byte_count} bytes\"") + "{byte_count} bytes" in notes
    native = listed("native", "--under", "gstex/native/gstex.h")
    assert any(line.endswith(": guard word: got %d, expected 0") for line in native)


def test_help_of_every_command() -> None:
    heads = [line for line in listed("help") if line.startswith("===== ")]
    assert heads[0] == "===== gstex --help" and "===== gstex watch --help" in heads and len(heads) == 13
