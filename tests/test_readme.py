"""What the README and the quick start show works: Python runs, commands exist, targets are in the Makefile. Links lead
somewhere, and messages that the docs quote are there."""

import re
import shlex
from pathlib import Path

import click
import pytest
from command import COMMANDS, Command
from small_samples import MATERIALS, SAMPLES, crop_sample

from gstex.cli.app import cli

ROOT = SAMPLES.parent
README = (ROOT / "README.md").read_text()
QUICK_START = (ROOT / "docs" / "quick-start.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README + QUICK_START, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every gstex command of the README and of the help texts, without its comment."""
    text = "\n".join([*blocks("sh"), *(c.help or "" for c in (cli, *COMMANDS.values()))])
    found = re.findall(r"^\s*(gstex .*?)(?:[ ]{2,}.*)?$", text, re.MULTILINE)
    return [shlex.split(line) for line in found]


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with small copies of the samples where the README expects them."""
    monkeypatch.chdir(tmp_path)
    for name in MATERIALS:
        crop_sample(name, tmp_path / "samples" / name, 64)
    return tmp_path


def test_python(samples: Path) -> None:
    names: dict[str, object] = {}
    assert len(blocks("python")) >= 2
    for block in blocks("python"):
        exec(compile(block, "README.md or quick-start.md", "exec"), names)
    assert (samples / "rusted_steel.gstex").is_file()
    assert names["stack"].shape == (64, 64, 8)
    assert names["values"].shape == (1, 8)
    assert [p.is_file() for p in names["paths"]] == [True] * 3


def test_first_commands(command: Command, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in map(shlex.split, blocks("sh")[0].splitlines()):
        arguments = arguments[1 : arguments.index("#")]
        if arguments[0] in ("view", "compare"):  # a window, and minutes; they have tests of their own
            continue
        extra = ["--effort", "fast", "--bpp", "2"] if arguments[0] == "compress" else []
        ran = command(*arguments, *extra)
        assert ran.code == 0, ran.err
    assert len(list((samples / "bricks_maps").iterdir())) == 5


def test_every_option_exists() -> None:
    known = {"--help"}.union(*(p.opts for c in COMMANDS.values() for p in c.params))
    own = re.sub(r"`python tools/[^`]*`", "", README + QUICK_START)  # the tools have options of their own
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", own)) <= known


def test_every_command_parses() -> None:
    assert len(commands()) >= 15
    for _, name, *arguments in commands():
        arguments = arguments[: arguments.index("#")] if "#" in arguments else arguments
        with COMMANDS[name].make_context(name, arguments, parent=click.Context(cli)):
            pass


def test_maps_of_the_commands_are_in_the_samples() -> None:
    for _, _, *arguments in commands():
        if arguments and arguments[0].startswith("samples/"):
            folder = ROOT / arguments[0]
            files = [a.split("=")[1].split(":")[0] for a in arguments if re.match(r"\w+=", a)]
            assert folder.is_dir() and all((folder / f).is_file() for f in files), arguments


def test_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"\bmake (\w+)", README)
    assert {"demo", "test"} <= set(targets)
    assert all(re.search(rf"^{t}:", makefile, re.MULTILINE) for t in targets)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_files_of_the_text_exist() -> None:
    for folder, text in ((ROOT, README), (ROOT / "docs", QUICK_START)):
        for name in re.findall(r"\]\(([\w/.-]+)(?:#[\w-]+)?\)", text) + re.findall(r"`([\w/]+/)`", text):
            assert (folder / name).exists(), name
    assert README.count("\n") <= 150


def anchors(text: str) -> set[str]:
    """What headings are linked by: lower case, without punctuation, spaces as hyphens."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target, _, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(#([\w-]+))?\)", page.read_text()):
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page}: {target}"
            assert not anchor or anchor in anchors(linked.read_text()), f"{page}: {target}#{anchor}"


def test_messages_of_troubleshooting_are_there() -> None:
    """What the page quotes is in the source, word for word, but for `..`, which stands for values."""
    files = [path for path in (ROOT / "gstex").rglob("*") if path.suffix in (".py", ".h", ".cpp", ".txt")]
    source = re.sub(r'"\s*f?"', "", "\n".join(path.read_text() for path in sorted(files)))
    rows = re.findall(r"^\| `(.*?)` \| ", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(rows) > 30
    for row in rows:
        for part in re.split(r" \.\.(?=[ ,;]|$)", row):
            assert part in source, row
