"""samples/web/src/file.js and validate.js in Node: sound files pass, and every file of hostile_cases.py is refused for
what is wrong with it."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hostile_cases import FILE_RULES, SECTIONS, file_of, plain, subject
from small_samples import SAMPLES

import gstex
from gstex import format as fmt
from gstex.errors import FormatError

DATA = Path(__file__).parent / "data"
READER = SAMPLES / "web" / "src" / "file.js"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def read_all(files: dict[str, bytes], folder: Path) -> dict[str, dict]:
    """What file.js says of each file: {"material": ..} or {"refused": message, "name": of the error}."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    script = """
        import { readFileSync } from 'node:fs';
        const { readFile } = await import(process.argv[1]);
        const result = {};
        for (const name of JSON.parse(readFileSync(process.argv[2] + '/names'))) {
            try {
                const { words, material } = readFile(new Uint8Array(readFileSync(`${process.argv[2]}/${name}`)));
                result[name] = { words: words.length, material };
            } catch (error) {
                result[name] = { refused: error.message, name: error.name };
            }
        }
        console.log(JSON.stringify(result));
    """
    (folder / "names").write_text(json.dumps(list(files)))
    ran = subprocess.run(["node", "--input-type=module", "-e", script, READER.as_uri(), folder],
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_sound_files(tmp_path: Path) -> None:
    paths = sorted(DATA.glob("golden_v2_*.gstex"))
    files = {path.name: path.read_bytes() for path in paths}
    files |= {f"{section.__name__}.gstex": file_of(section()) for section, _ in SECTIONS}
    found = read_all(files, tmp_path)
    assert len(files) > 15
    for name in files:
        assert "refused" not in found[name], (name, found[name])
        texture, material = gstex.load(tmp_path / name), found[name]["material"]
        header = texture.table.header
        assert found[name]["words"] == len(texture.words)
        assert (material["width"], material["height"], material["mipCount"]) == (
            header.width, header.height, header.mip_count)  # fmt: skip
        assert (material["repeat"], material["bilinear"]) == (header.repeat, header.bilinear)
        for one, other in zip(material["channels"], header.channels, strict=True):
            assert (one["constant"], one["srgb"], one["flipped"]) == (other.constant, other.srgb, other.flipped)
            assert (one["scale"], one["bias"], one["stops"]) == (other.scale, other.bias, other.stops)


def test_every_rule(tmp_path: Path) -> None:
    """Also that it is the same rule that Python names."""
    cases: dict[str, tuple[bytes, str]] = {}
    for section, rules in SECTIONS:
        for number, (change, message) in enumerate(rules):
            words = change(section().copy())
            if words[5] == section()[5]:  # what the header of the file says of the resident part is looked at before
                cases[f"{section.__name__}{len(cases)}-{number}"] = (file_of(words), message)
    for number, (fields, message) in enumerate(FILE_RULES):
        cases[f"file{number}"] = (file_of(plain(), **fields), message)
    found = read_all({name: data for name, (data, _) in cases.items()}, tmp_path)
    assert len(cases) > 230
    for name, (_, message) in cases.items():
        assert found[name].get("name") == "FormatError", (name, message, found[name])
        assert subject(found[name]["refused"]) == subject(message), (name, message)


def test_random_damage(tmp_path: Path) -> None:
    """Python and JavaScript agree on whether words are sound, whatever was done to them."""
    rng = np.random.default_rng(5)
    files, verdicts = {}, {}
    for number in range(600):
        section = SECTIONS[number % len(SECTIONS)][0]
        words = section().copy()
        for _ in range(rng.integers(1, 4)):
            words[rng.integers(0, len(words))] ^= np.uint32(1 << rng.integers(0, 32))
        files[str(number)] = file_of(words)
        try:
            fmt.read_bytes(files[str(number)])
            verdicts[str(number)] = True
        except FormatError:
            verdicts[str(number)] = False
    found = read_all(files, tmp_path)
    assert 20 < sum(verdicts.values()) < 500
    for name, is_sound in verdicts.items():
        assert ("refused" not in found[name]) == is_sound and found[name].get("name", "FormatError") == "FormatError", (
            name, found[name])  # fmt: skip


def test_every_beginning(tmp_path: Path) -> None:
    data = file_of(plain())
    found = read_all({str(size): data[:size] for size in range(0, len(data), 3)}, tmp_path)
    assert {result["name"] for result in found.values()} == {"FormatError"}
