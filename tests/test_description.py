"""What the metadata of a file leaves out comes back from the header."""

import json
from pathlib import Path

import pytest
from small_samples import MATERIALS, SAMPLES

import gstex
from gstex.encode.packing import channel_entries
from gstex.format.description import brief_material, describe
from gstex.material import load_material


@pytest.mark.parametrize("name", MATERIALS)
def test_the_long_form_comes_back(name: str) -> None:
    material = load_material(SAMPLES / name)
    expected = material.to_metadata()
    text = json.dumps(brief_material(expected))
    found = describe(json.loads(text), channel_entries(material), width=material.width, height=material.height,
                     repeat=material.wrap == "repeat")  # fmt: skip
    for channel, other in zip(found["channels"], expected["channels"], strict=True):
        assert channel.pop("constant") == pytest.approx(other.pop("constant"))
    expected["ignored"] = [[file, ""] for file, _ in expected["ignored"]]
    assert found == expected


@pytest.mark.parametrize("name", MATERIALS)
def test_a_usual_material_takes_at_most_a_kilobyte(name: str, tmp_path: Path) -> None:
    texture = gstex.compress(load_material(SAMPLES / name), effort="draft", bpp=0.5, alpha_test=0.5, groups="1")
    size = texture.save(tmp_path / "a.gstex")
    assert size - 256 - 4 * len(texture.words) <= 1024
    assert gstex.load(tmp_path / "a.gstex").material == texture.material
