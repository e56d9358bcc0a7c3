"""File names -> roles: which file of a folder holds which map.

Names only; nothing here opens a file. `read_names` reads each name by itself and against its neighbours,
`resolve` applies the user's overrides and refuses what stays ambiguous.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gstex.errors import AmbiguousError, UsageError
from gstex.material.roles import LESSER, LETTERS, NOISE, PREVIEW, ROLES
from gstex.material.vocabulary import USUAL, Vocabulary

__all__ = [
    "Choice", "NameParts", "Override", "Reading", "parse_override", "quote", "read_alone", "read_names", "resolve",
    "split_name",
]

_TOKEN = re.compile(r"\d+[kK](?![a-zA-Z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LAST_LETTER = re.compile(r"[_\-. ]([a-z])(?:[_\-. ]?\d+k?)*$", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_RANGE = re.compile(rf"(.+)@({_NUMBER})\.\.({_NUMBER})", re.IGNORECASE)
# What `--map` takes for a normal map whose name does not say which way Y points.
_NORMALS = {"normal_gl": "gl", "normal_dx": "dx"}
_CONVENTION = {"gl": "gl", "ogl": "gl", "opengl": "gl", "dx": "dx", "directx": "dx", "d3d": "dx"}
ALPHA = 3  # index of the letter 'a' in rgba, whatever the file's number of channels
_SHORT = 5  # packed names of at most so many letters may be other words ("arm")
_LONGEST_NAME = 4  # parts: "ambient Occlusion Roughness Metallic"


@dataclass(frozen=True)
class Reading:
    """What a file name says. Exactly one of role and packed is set for a map."""

    role: str | None = None                       # the role of the whole file
    packed: tuple[str | None, ...] | None = None  # the role of each channel
    convention: str | None = None                 # 'gl' | 'dx' where the name of a normal map says so
    lesser: bool = False                          # another file of the role replaces it
    by_letter: bool = False                       # a single letter names the role
    bare: bool = False                            # the plain name its neighbours extend: "wall2"
    preview: bool = False


@dataclass(frozen=True)
class Override:
    """One `--map role=file[:channels][@lo..hi]`.

    role: a role, or 'ignore'. channels: indices into the file, None = the whole file. float_range: the values
    of a float file that stand for 0 and 1. convention: 'gl' or 'dx' of a normal map, None as its name says.
    """

    text: str
    role: str
    file: str
    channels: tuple[int, ...] | None
    float_range: tuple[float, float] | None = None
    convention: str | None = None


@dataclass
class Choice:
    """How one chosen file is to be read.

    whole: role of the file's colour channels where they are not named one by one.
    channels: role by channel index, None = leave out; wins over `whole`.
    convention: 'gl' | 'dx' | None, as the name of a normal map states it.
    float_ranges: of a float file by role, as overrides state them.
    alpha: role of an alpha that varies and that nothing names, if not the usual one.
    """

    whole: str | None = None
    channels: dict[int, str | None] = field(default_factory=dict)
    convention: str | None = None
    float_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    alpha: str | None = None

    def roles(self) -> set[str]:
        return {r for r in (self.whole, *self.channels.values()) if r is not None}

    def only_alpha(self) -> bool:
        return self.whole is None and set(self.channels) == {ALPHA}


def tokens_of(name: str) -> tuple[str, ...]:
    """Parts of a file name, lower case, no extension: "Wall_baseColor3_2K.png" -> wall base color 3 2k."""
    stem = name.rsplit(".", 1)[0]
    return tuple(t.lower() for t in _TOKEN.findall(stem))


def _is_noise(token: str) -> bool:
    return token in NOISE or token.isdigit() or (token[:-1].isdigit() and token[-1] == "k")


def _strip_noise(tokens: Sequence[str]) -> tuple[str, ...]:
    end = len(tokens)
    while end > 0 and _is_noise(tokens[end - 1]):
        end -= 1
    return tuple(tokens[:end])


def _word_reading(word: str, names: Vocabulary) -> Reading | None:
    if word in names.packed:
        return Reading(packed=names.packed[word])
    if word in names.words:
        return Reading(role=names.words[word], lesser=word in LESSER)
    return None


def _suffix_reading(tokens: Sequence[str], names: Vocabulary) -> Reading | None:
    """The longest name of a role at the end of the parts, DX/GL marks included; None if there is none."""
    suffix = _suffix(tokens, names)
    return suffix[0] if suffix else None


def _suffix(tokens: Sequence[str], names: Vocabulary) -> tuple[Reading, int] | None:
    """`_suffix_reading`, and how many parts come before the name of the role."""
    if tuple(tokens[-2:]) == ("mask", "map"):
        return Reading(packed=names.packed["maskmap"]), len(tokens) - 2
    tokens = _strip_noise(tokens)
    for count in range(min(_LONGEST_NAME, len(tokens)), 0, -1):
        word = "".join(tokens[-count:])
        reading = _word_reading(word, names) or _word_reading(word.removesuffix("map"), names)
        if reading is not None:
            return reading, len(tokens) - count
        for mark, convention in _CONVENTION.items():
            if word.endswith(mark) and names.words.get(word.removesuffix(mark).removesuffix("map")) == "normal":
                return Reading(role="normal", convention=convention), len(tokens) - count
    return None


def _letter_reading(name: str) -> Reading | None:
    match = _LAST_LETTER.search(name.rsplit(".", 1)[0])
    role = LETTERS.get(match.group(1).lower()) if match else None
    return Reading(role=role, by_letter=True) if role else None


def read_alone(name: str, vocabulary: Vocabulary = USUAL) -> Reading | None:
    """What the name of a single image says. Only words that are hardly part of other names count. None for colours."""
    reading = _suffix_reading(tokens_of(name), vocabulary) or _letter_reading(name)
    if reading is None:
        return None
    if reading.packed is not None:
        last = "".join(_strip_noise(tokens_of(name))[-2:])
        long = any(last.endswith(w) for w in vocabulary.packed if len(w) > _SHORT)
        return reading if long or "mask" in last else None
    if reading.role == "normal":
        return reading
    return reading if not reading.by_letter and ROLES[str(reading.role)].colors == 1 else None


@dataclass(frozen=True)
class NameParts:
    """The part of a name beside the role: it tells to which material the map belongs.

    base: parts, lower case. text: the same as the file has it. numbers: those behind the role, without sizes.
    """

    base: tuple[str, ...]
    text: str
    numbers: tuple[str, ...]


def split_name(name: str, vocabulary: Vocabulary = USUAL) -> NameParts:
    """What remains of a name without the role, at its end or start, and without words of size and format:
    "Wall2_baseColor_2K.png" -> wall 2. Numbers before the role belong to the material."""
    spans = list(_TOKEN.finditer(name.rsplit(".", 1)[0]))
    tokens = tokens_of(name)
    suffix = _suffix(tokens, vocabulary)
    start, end, numbers = 0, len(tokens), tokens[:0]
    if suffix:
        end, numbers = suffix[1], tuple(t for t in tokens[suffix[1]:] if t.isdigit())
    elif _letter_reading(name):
        last = len(_strip_noise(tokens)) - 1
        end, numbers = last, tuple(t for t in tokens[last:] if t.isdigit())
    elif tokens and _strip_noise(tokens)[-1:] and _strip_noise(tokens)[-1] in PREVIEW:
        end = len(_strip_noise(tokens)) - 1
    else:
        counts = range(min(_LONGEST_NAME, len(tokens) - 1), 0, -1)
        start = next((c for c in counts if _word_reading("".join(tokens[:c]), vocabulary)), 0)
    while end > start + 1 and _is_noise(tokens[end - 1]) and not tokens[end - 1].isdigit():
        end -= 1
    text = name[spans[start].start() : spans[end - 1].end()] if start < end else ""
    return NameParts(tuple(tokens[start:end]), text, numbers)


def _common_tail(rows: Sequence[Sequence[str]]) -> int:
    count = 0
    while all(len(r) > count and r[-1 - count] == rows[0][-1 - count] for r in rows):
        count += 1
    return count


def read_names(names: Sequence[str], vocabulary: Vocabulary = USUAL) -> dict[str, Reading]:
    """Read every image name of a folder.

    Args:
        names: file names of the images in the folder, with extension. vocabulary: the words that count.
    Returns:
        A reading for each name. Rules, first match wins: a name that every neighbour with a role extends
        is `bare` (an albedo without a suffix, or a preview render); a role at the end of the name, once the
        parts that all names share at their ends ("albedo_wall", "normal_wall") or the numbers, sizes and
        format words are dropped; one letter of its own at the end; else nothing.
    """
    parts = {n: tokens_of(n) for n in names}
    rows = {n: _suffix_reading(t, vocabulary) or _letter_reading(n) for n, t in parts.items()}
    tail = _common_tail([_strip_noise(t) for t in parts.values()]) if len(names) > 1 else 0
    if tail:
        rows = {n: _suffix_reading(_strip_noise(t)[:-tail], vocabulary) or rows[n] for n, t in parts.items()}
    result: dict[str, Reading] = {}
    for name, reading in rows.items():
        if _is_bare(name, parts, rows, vocabulary):
            result[name] = Reading(bare=True)
        elif reading is not None:
            result[name] = reading
        else:
            last = _strip_noise(parts[name])[-1:]
            result[name] = Reading(preview=bool(last) and last[0] in PREVIEW)
    return result


def _is_bare(
    name: str, parts: Mapping[str, tuple[str, ...]], rows: Mapping[str, Reading | None], vocabulary: Vocabulary
) -> bool:
    stem = _strip_noise(parts[name])
    others = [n for n in parts if n != name and rows[n] is not None and _strip_noise(parts[n]) != stem]
    return bool(others) and all(
        parts[n][: len(stem)] == stem
        and (_suffix_reading(parts[n][len(stem):], vocabulary) or (_letter_reading(n) and len(parts[n]) > len(stem)))
        for n in others
    )


def parse_override(text: str, names: Sequence[str]) -> Override:
    """Parse `role=file[:channels][@lo..hi]`; channels are letters of rgba, as in `roughness=pack.png:g`, and lo..hi
    are the values of a float file that stand for 0 and 1, as in `height=dunes.exr@-3..17`. The roles normal_dx and
    normal_gl name a normal map and say which way its Y points.

    A file whose name holds '=', ':' or '@' is meant as written: the role ends at the first '=', and a ':' or '@'
    starts what follows a name only if no file has the whole text as its name.

    Raises:
        UsageError: bad form, unknown role, or a file that is not in the folder.
    """
    role, equals, rest = text.partition("=")
    role = role.strip().lower()
    convention = _NORMALS.get(role)
    allowed = f"{', '.join(ROLES)}, {', '.join(_NORMALS)} or ignore"
    if not equals or not rest or not role:
        raise UsageError(f"--map {text!r}: expected role=file[:channels], as in roughness=pack.png:g")
    role = "normal" if convention else role
    if role not in ROLES and role != "ignore":
        raise UsageError(f"--map {text!r}: unknown role {role!r}; allowed are {allowed}")
    channels: tuple[int, ...] | None = None
    float_range = None
    match = None if rest in names else _RANGE.fullmatch(rest)
    if match:
        rest, float_range = match[1], (float(match[2]), float(match[3]))
        if not float_range[0] < float_range[1] or role == "ignore":
            raise UsageError(f"--map {text!r}: expected a lower and a higher value, as in height=a.exr@-3..17")
    file = rest
    if file not in names:
        head, colon, letters = rest.rpartition(":")
        if colon and head in names:
            file = head
            if not letters or any(c not in "rgba" for c in letters) or len(set(letters)) != len(letters):
                raise UsageError(f"--map {text!r}: channels {letters!r}; allowed are letters of rgba")
            channels = tuple("rgba".index(c) for c in letters)
    if file not in names:
        known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise UsageError(f"--map {text!r}: no image {rest!r} in the input; it has {known}")
    if channels is not None and role in ROLES:
        most = {1: (1,), 2: (2, 3)}.get(ROLES[role].colors, (1, 3))
        if role == "mask":
            most = (1, 2, 3, 4)
        if len(channels) not in most:
            counts = " or ".join(str(m) for m in most)
            raise UsageError(f"--map {text!r}: {role} takes {counts} channels, got {len(channels)}")
    return Override(text, role, file, channels, float_range, convention)


def resolve(
    readings: Mapping[str, Reading], channel_counts: Mapping[str, int], overrides: Sequence[Override] = (),
    holds_normals: Callable[[str], bool] = lambda name: False,
) -> tuple[dict[str, Choice], list[tuple[str, str]]]:  # fmt: skip
    """Choose the files of a folder and their roles.

    Args:
        readings: what each file name says.
        channel_counts: channels of each image; a packed name needs as many channels as it names, up to 3.
        overrides: an override takes its role from every other file, and its channels from every other role.
        holds_normals: whether the pixels of a file are normals; asked only for a suggestion.
    Returns:
        (choices by file, [(file, reason)] of the images left out).
    Raises:
        AmbiguousError: two candidates for one role; the message shows the overrides to type.
        UsageError: two overrides that contradict each other.
    """
    choices: dict[str, Choice] = {}
    ignored: list[tuple[str, str]] = []
    unknown: list[str] = []
    bare: list[str] = []
    for name, reading in readings.items():
        packed = reading.packed
        if packed is not None and channel_counts[name] >= len(packed):
            choices[name] = _packed_choice(packed)
        elif reading.role is not None:
            choices[name] = Choice(whole=reading.role, convention=reading.convention)
            if reading.by_letter and reading.role == "specular" and channel_counts[name] == 4:
                choices[name].alpha = "mask"  # gloss in some schemes, emission in others
        elif reading.preview:
            ignored.append((name, "preview picture, not a map"))
        elif reading.bare:
            bare.append(name)
        else:
            unknown.append(name)

    settled = _apply_overrides(choices, ignored, overrides)
    left_out = {f for f, _ in ignored}
    bare = [n for n in bare if n not in left_out and (n not in choices or choices[n].only_alpha())]
    unknown = [n for n in unknown if n not in left_out and (n not in choices or choices[n].only_alpha())]
    _drop_dx(choices, ignored, settled)
    _drop_lesser(choices, ignored, readings, settled)
    _place_unnamed(choices, ignored, bare, unknown, holds_normals)
    _drop_empty(choices, ignored, overrides)
    _refuse_duplicates(choices)
    return choices, ignored


def _apply_overrides(
    choices: dict[str, Choice], ignored: list[tuple[str, str]], overrides: Sequence[Override]
) -> set[str]:
    """Apply the overrides in place. Returns the roles they settle."""
    settled: dict[str, Override] = {}
    for o in overrides:
        if o.role == "ignore":
            continue
        if o.role in settled and o.role != "mask":
            raise UsageError(f"--map {o.text!r} contradicts --map {settled[o.role].text!r}: keep one")
        settled[o.role] = o
    for role in settled:
        if role == "mask":
            continue
        for choice in choices.values():
            choice.whole = None if choice.whole == role else choice.whole
            choice.channels = {c: r for c, r in choice.channels.items() if r != role}
    taken: dict[tuple[str, int | None], Override] = {}
    for o in sorted(overrides, key=lambda o: o.channels is not None):  # whole files first
        indices: tuple[int | None, ...] = o.channels or (None,)
        for index in indices:
            if (o.file, index) in taken:
                other = taken[o.file, index].text
                raise UsageError(f"--map {o.text!r} contradicts --map {other!r}: keep one")
            taken[o.file, index] = o
        ignored[:] = [row for row in ignored if row[0] != o.file]
        choice = choices.setdefault(o.file, Choice())
        given = None if o.role == "ignore" else o.role
        if o.channels is None:
            choices[o.file] = choice = Choice(whole=given, convention=o.convention or choice.convention)
        else:
            choice.channels.update(dict.fromkeys(o.channels, given))
            choice.convention = o.convention or choice.convention
            if given is not None and set(o.channels) != {ALPHA}:
                choice.whole = None
        if o.float_range:
            choice.float_ranges[o.role] = o.float_range
    return set(settled)


def _drop_dx(choices: dict[str, Choice], ignored: list[tuple[str, str]], settled: set[str]) -> None:
    """Of a normal map in both conventions keep the OpenGL one (or the one that names no convention)."""
    normals = [n for n, c in choices.items() if c.whole == "normal"]
    dx = [n for n in normals if choices[n].convention == "dx"]
    if "normal" in settled or len(dx) == len(normals):
        return
    normal_map = next(n for n in normals if n not in dx)
    for name in dx:
        del choices[name]
        ignored.append((name, f"DirectX twin of the normal map {normal_map}"))


def _packed_choice(packed: tuple[str | None, ...]) -> Choice:
    """A packing whose colours are one role is a file of that role with a role for its alpha."""
    if len(packed) == 4 and packed[0] is not None and len(set(packed[:3])) == 1:
        return Choice(whole=packed[0], channels={ALPHA: packed[3]})
    return Choice(channels=dict(enumerate(packed)))


def _drop_lesser(
    choices: dict[str, Choice], ignored: list[tuple[str, str]], readings: Mapping[str, Reading], settled: set[str]
) -> None:
    """Leave out a bump map beside a displacement, which holds the same relief in more detail."""
    for name in [n for n in choices if readings[n].lesser]:
        role = choices[name].whole
        others = [n for n, c in choices.items() if n != name and role in c.roles() and not readings[n].lesser]
        if role is not None and role not in settled and others:
            del choices[name]
            ignored.append((name, f"beside {others[0]}; use it instead with --map {quote(f'{role}={name}')}"))


def _place_unnamed(
    choices: dict[str, Choice], ignored: list[tuple[str, str]], bare: list[str], unknown: list[str],
    holds_normals: Callable[[str], bool],
) -> None:  # fmt: skip
    """Give the albedo to a file without a role in its name if nothing else has it; leave the others out."""
    if not any(c.roles() & {"albedo", "color"} for c in choices.values()):
        candidates = bare or unknown
        if len(candidates) == 1:
            choices.setdefault(candidates[0], Choice()).whole = "albedo"
        elif candidates:
            normals = [n for n in candidates if holds_normals(n)]
            colour = next((n for n in candidates if n not in normals), candidates[0])
            maps = [f"albedo={colour}"]
            if len(normals) == 1 and colour not in normals and not any("normal" in c.roles() for c in choices.values()):
                maps.append(f"normal={normals[0]}")
            raise AmbiguousError(
                f"albedo: {len(candidates)} files name no known map ({_some(candidates)}); say which one is the "
                f"colour with {' '.join(f'--map {quote(m)}' for m in maps)}, or keep one material in a folder",
                maps=maps,
            )
    for name in bare:
        if name not in choices:
            ignored.append((name, "preview picture: the plain name beside a named albedo"))
    for name in unknown:
        if name not in choices:
            ignored.append((name, f"no known map name; use it with --map {quote('ROLE=' + name)}"))


def _drop_empty(
    choices: dict[str, Choice], ignored: list[tuple[str, str]], overrides: Sequence[Override]
) -> None:
    """Leave out the files that have no role after the overrides."""
    for name in [n for n, c in choices.items() if not c.roles()]:
        del choices[name]
        by_name = any(o.role == "ignore" and o.file == name for o in overrides)
        ignored.append((name, "left out by --map" if by_name else "--map gave its role to another file"))


def _refuse_duplicates(choices: Mapping[str, Choice]) -> None:
    """Refuse roles that several files hold, all in one message. It suggests a file that has the role as a whole."""
    texts, maps = [], []
    for role in ROLES:
        holders = [n for n, c in choices.items() if role in c.roles()]
        if len(holders) < 2 or role == "mask":
            continue
        options = {}
        for name in holders:
            index = [c for c, r in choices[name].channels.items() if r == role]
            letters = ":" + "".join("rgba"[c] for c in index) if index else ""
            options[name] = f"{role}={name}{letters}"
        shown = " or ".join(f"--map {quote(o)}" for o in list(options.values())[:3])
        more = " or ..." if len(options) > 3 else ""
        texts.append(f"{role}: {len(holders)} files could hold it ({_some(holders)}); choose one with {shown}{more}")
        alone = next((n for n in holders if choices[n].whole == role), holders[0])
        maps.append(options[alone])
    if texts:
        raise AmbiguousError("; ".join(texts) + ", or keep one material in a folder", maps=maps)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def quote(text: str) -> str:
    """An argument as one has to type it in a shell."""
    return f'"{text}"' if re.search(r"[^\w=.:/+@%,-]", text) else text
