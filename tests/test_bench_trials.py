"""The record of experiments: what is changed, for how long, and the rows that are added."""

import csv
import sys
from pathlib import Path

import click
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from benches.trials import add_trial, changed_settings, parse_changes

from gstex.encode import compress as compression


def test_changes_have_the_type_of_their_field():
    changes = parse_changes(None, None, ["steps=500", "jitter=0", "loss=perceptual"])
    assert changes == {"steps": 500, "jitter": 0.0, "loss": "perceptual"}
    assert isinstance(changes["jitter"], float)


@pytest.mark.parametrize("text", ["speed=3", "steps", "steps=many", "=3"])
def test_unknown_changes_are_refused(text):
    with pytest.raises(click.BadParameter, match="expected NAME=VALUE with one of steps"):
        parse_changes(None, None, [text])


def test_settings_change_inside_alone():
    with pytest.raises(RuntimeError), changed_settings({"steps": 7}):
        assert compression.make_settings("fast", "direct", "l2").steps == 7
        raise RuntimeError
    assert compression.make_settings("fast", "direct", "l2").steps == 250


def test_rows_are_added_to_those_that_are_there(tmp_path):
    row = {"material": "a", "bpp_asked": 1.0, "psnr": 30.1234, "psnr_sampled": None, "extra": 1}
    add_trial(tmp_path, "first", "effort fast", [row])
    path = add_trial(tmp_path, "second, with a comma", "effort fast", [row, row])
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [r["trial"] for r in rows] == ["first", "second, with a comma", "second, with a comma"]
    assert (rows[0]["psnr"], rows[0]["psnr_sampled"], rows[0]["material"]) == ("30.123", "", "a")
