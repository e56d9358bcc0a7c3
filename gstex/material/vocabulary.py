"""The words and packings by which names of files are read: those of `roles.py`, and what a user adds to them.

A file `gstex.toml` in the folder of the maps, or one given by `--names`, adds to the tables:

    [words]
    albedo = ["farbe", "couleur"]

    [packings]
    hsm = ["height", "specular", "metallic"]
    dia = ["albedo", "albedo", "albedo", "ao"]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gstex.errors import MaterialError
from gstex.material.roles import PACKED, ROLES, WORDS

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib  # type: ignore[import-not-found,no-redef]

__all__ = ["NAMES_FILE", "USUAL", "Vocabulary", "load_vocabulary"]

NAMES_FILE = "gstex.toml"
_MOST_BYTES = 2**20


@dataclass(frozen=True)
class Vocabulary:
    """words: word -> role. packed: word -> roles of the channels, None for an unused one. All in lower case."""

    words: Mapping[str, str]
    packed: Mapping[str, tuple[str | None, ...]]


USUAL = Vocabulary(WORDS, PACKED)


def load_vocabulary(path: Path) -> Vocabulary:
    """The usual tables and what a file adds to them; where both have a word, the file's meaning counts.

    Raises:
        MaterialError: the file cannot be read, is no TOML, or holds something else than words and packings.
    """
    try:
        data = path.read_bytes()[:_MOST_BYTES]
        tables = tomllib.loads(data.decode())
    except OSError as error:
        raise MaterialError(f"{path}: cannot be read ({error.strerror}); give a file such as {NAMES_FILE}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MaterialError(f"{path}: not TOML ({str(error)[:100]}); see docs/inputs.md, \"Names\"") from None
    other = [key for key in tables if key not in ("words", "packings")]
    if other:
        raise MaterialError(f"{path}: {other[0]!r}; allowed are the tables [words] and [packings]")
    words, packed = dict(WORDS), dict(PACKED)
    for role, given in _table(path, tables, "words"):
        if role not in ROLES:
            raise MaterialError(f"{path}: words of {role!r}; allowed are the roles {', '.join(ROLES)}")
        for word in _strings(path, f"words.{role}", given):
            words[_plain(path, word)] = role
            packed.pop(_plain(path, word), None)
    for word, given in _table(path, tables, "packings"):
        roles = _strings(path, f"packings.{word}", given)
        unknown = [r for r in roles if r and r not in ROLES]
        if unknown or not 2 <= len(roles) <= 4 or not any(roles):
            content = f"role {unknown[0]!r}" if unknown else f"{len(roles)} channels"
            raise MaterialError(f"{path}: packings.{word} has {content}; allowed are 2 to 4 of {', '.join(ROLES)}, or "
                                "\"\" for a channel that is not used")  # fmt: skip
        packed[_plain(path, word)] = tuple(r or None for r in roles)
        words.pop(_plain(path, word), None)
    return Vocabulary(words, packed)


def _table(path: Path, tables: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise MaterialError(f"{path}: {name} is {type(table).__name__}, expected a table: [{name}]")
    return list(table.items())


def _strings(path: Path, what: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise MaterialError(f"{path}: {what} = {str(value)[:60]!r}, expected strings, as in [\"one\", \"two\"]")
    return value


def _plain(path: Path, word: str) -> str:
    """A word as names are compared: letters without separators, lower case."""
    plain = "".join(c for c in word.lower() if c not in "_-. ")
    if not plain.isalpha() or not plain.isascii():
        raise MaterialError(f"{path}: the word {word!r}; allowed are letters a to z, with _ - . or space between")
    return plain
