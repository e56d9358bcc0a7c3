"""What gstex remembers: kept where it is told to, and never in the way of anything."""

import os
from pathlib import Path

import pytest

from gstex.user_state import read_state, write_state


def test_the_tests_remember_in_a_folder_of_their_own():
    assert Path(os.environ["GSTEX_STATE"]).is_dir()  # a device there might be replaced by a file


def test_what_is_written_is_read_and_what_is_broken_is_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GSTEX_STATE", str(tmp_path / "state"))
    assert read_state("a") is None
    write_state("a", {"b": [1, 2.5]})
    assert read_state("a") == {"b": [1, 2.5]}
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["a.json"]
    (tmp_path / "state" / "a.json").write_bytes(b"\xff{")
    assert read_state("a") is None


@pytest.mark.parametrize("under", [False, True])
def test_a_place_that_is_no_folder_is_left_as_it_is(tmp_path, monkeypatch, under):
    place = tmp_path / "place"
    place.write_text("mine")
    monkeypatch.setenv("GSTEX_STATE", str(place / "deeper" if under else place))
    write_state("a", 1)
    assert read_state("a") is None and place.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
