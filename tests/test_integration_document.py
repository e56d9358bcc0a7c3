"""docs/integration.md: its code compiles and runs, and it names what the headers and shaders have."""

import re
import subprocess
from pathlib import Path

from make_golden import golden_file
from test_decoder_c import HEADER, ROOT, build, run

import gstex
from gstex.blocks import plan_maps

DOCUMENT = (ROOT / "docs" / "integration.md").read_text()
MAIN = (ROOT / "tests" / "native" / "integration_main.c").read_text()
HEAD = """#include <stdio.h>
#include <stdlib.h>
#define GSTEX_IMPLEMENTATION
#include "gstex.h"
#include "gstex_blocks.h"
"""


def test_its_code_runs(tmp_path: Path) -> None:
    """All blocks as one program, under sanitizers."""
    blocks = re.findall(r"```c\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(blocks) == 2
    source = tmp_path / "document.c"
    source.write_text("\n".join([HEAD, *blocks, MAIN]))
    options = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-fsanitize=address,undefined")
    program = build(tmp_path / "document", source, *options)
    texture = gstex.load(golden_file("groups"))
    count = len(plan_maps(texture.table.header.channels)) * texture.mip_count
    assert run(program, golden_file("groups")).decode() == f"{count} textures of {texture.mip_count} mips, 0 wrong\n"
    damaged = tmp_path / "damaged.gstex"
    damaged.write_bytes(golden_file("groups").read_bytes()[:-1])
    done = subprocess.run([program, damaged], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("file_bytes: got ")


def test_what_it_names_is_there() -> None:
    texts = [path.read_text() for path in sorted(HEADER.parent.glob("gstex*.h"))]
    texts += [path.read_text() for path in sorted((ROOT / "shaders").glob("*.*"))]
    known = set(re.findall(r"\b(?:gstex|GSTEX)_\w+", "\n".join(texts)))
    assert set(re.findall(r"\b(?:gstex|GSTEX)_\w+", DOCUMENT)) - known - {"gstex_blocks", "gstex_expand"} == set()


def test_its_links_lead_somewhere() -> None:
    for name, anchor in re.findall(r"\]\((\w[\w-]*\.md)#?([\w-]*)\)", DOCUMENT):
        text = (ROOT / "docs" / name).read_text()
        titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not anchor or anchor in slugs, f"{name}#{anchor}"
