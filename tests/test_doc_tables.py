"""README and docs/benchmarks.md hold the tables that benchmarks/results has."""

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import doc_tables  # noqa: E402


def test_the_documents_are_up_to_date() -> None:
    said = CliRunner().invoke(doc_tables.main, ["--check"])
    assert said.exit_code == 0, said.output


@pytest.mark.parametrize(("document", "head"), [
    ("README.md", doc_tables.README_HEAD), ("docs/benchmarks.md", doc_tables.QUALITY_HEAD),
    ("docs/benchmarks.md", doc_tables.DISK_HEAD),
])  # fmt: skip
def test_a_wrong_number_is_found_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: str, head: str
) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/benchmarks.md"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    before, table, after = (tmp_path / document).read_text(encoding="utf-8").partition(head)
    changed = re.sub(r"\| moss \| [\d.]+", "| moss | 7.77", after, count=1)
    (tmp_path / document).write_text(before + table + changed, encoding="utf-8")
    monkeypatch.setattr(doc_tables, "ROOT", tmp_path)
    said = CliRunner().invoke(doc_tables.main, ["--check"])
    assert said.exit_code == 1 and said.output.splitlines() == [f"{document}: has tables that are not up to date"]
    assert CliRunner().invoke(doc_tables.main, []).output == f"{document}: written\n"
    assert (tmp_path / document).read_bytes() == (ROOT / document).read_bytes()


@pytest.mark.parametrize("count", [0, 2])
def test_a_document_with_another_number_of_tables_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="tables begin with"):
        doc_tables.replaced("| a |\n|---|\n| 1 |\n\n" * count, "| a |", [["| 2 |"]])
    assert doc_tables.replaced("x\n| a |\n|---|\n| 1 |\ny", "| a |", [["| 2 |", "| 3 |"]]) == (
        "x\n| a |\n|---|\n| 2 |\n| 3 |\ny")  # fmt: skip
