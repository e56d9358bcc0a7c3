"""docs/decoder-c.md: its code compiles and runs, and it names what gstex.h has."""

import re
import subprocess
from pathlib import Path

from make_golden import golden_file
from test_decoder_c import HEADER, ROOT, build, run

DOCUMENT = (ROOT / "docs" / "decoder-c.md").read_text()
MAIN = (ROOT / "tests" / "native" / "document_main.c").read_text()


def test_its_code_runs(tmp_path: Path) -> None:
    """All blocks as one program, under sanitizers, on a file with a tail, groups and ranged channels."""
    blocks = re.findall(r"```c\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(blocks) == 8
    source = tmp_path / "document.c"
    head = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    source.write_text("\n".join([head, *blocks, MAIN]))
    options = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-fsanitize=address,undefined")
    program = build(tmp_path / "document", source, *options)
    run(program, golden_file("groups"))
    damaged = tmp_path / "damaged.gstex"
    damaged.write_bytes(golden_file("groups").read_bytes()[:-1])
    done = subprocess.run([program, damaged], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("file_bytes: got ")


def test_it_names_every_call() -> None:
    public = HEADER.read_text().partition("#endif // GSTEX_H")[0]
    calls = set(re.findall(r"^GSTEX_API \w+ (gstex_\w+)\(", public, re.MULTILINE))
    table = DOCUMENT.partition("## All calls")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(gstex_\w+)`", table)) == calls
    types = set(re.findall(r"^} (gstex_\w+);", public, re.MULTILINE))
    others = {"gstex_surface", "gstex_blocks", "gstex_expand"}  # of the shader; headers
    assert set(re.findall(r"\bgstex_\w+", DOCUMENT)) - calls <= types | others
