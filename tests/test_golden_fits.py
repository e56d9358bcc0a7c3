"""The same input and seed give the same file: on every CPU, in any number of threads, and tomorrow.

A digest that changes is a change of what users get. If it is wanted, `python tests/golden_fits.py --write`.
"""

import json

import everywhere
import golden_fits
import pytest

EXPECTED = json.loads(golden_fits.GOLDEN.read_text())
WAYS = everywhere.ways()
CODE = "import runpy; runpy.run_module('golden_fits', run_name='__main__')"


def test_there_is_a_digest_of_every_case() -> None:
    assert list(EXPECTED) == list(golden_fits.CASES)


@pytest.mark.parametrize("name", golden_fits.CASES)
def test_a_fit_gives_the_golden_file(name: str) -> None:
    assert golden_fits.digest(name) == EXPECTED[name]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS[1:], ids=str)
def test_the_same_files_as_on_another_cpu(way: everywhere.Way) -> None:
    assert json.loads(everywhere.run(way, CODE)) == EXPECTED
