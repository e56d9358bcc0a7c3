"""Write shaders/gstex.hlsl, gstex.metal and gstex.wgsl from shaders/gstex.glsl, and the same from gstex_expanded.glsl.

The tool also copies the common part of gstex.glsl into gstex_expanded.glsl. The encoders bc.glsl and bc7.glsl become
bc.hlsl and bc.wgsl.

    python tools/write_shaders.py            write the files
    python tools/write_shaders.py --check    exit 1, and name the files that differ from what would be written

docs/design-notes/0011-shader-languages.md says why, and which part of GLSL the two decoders may use.
"""

import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from shader_writer.glsl_syntax import ShaderError, parse
from shader_writer.glsl_types import LOADS, annotate
from shader_writer.printer import HlslPrinter, MetalPrinter, Printer
from shader_writer.wgsl import GONE, WgslPrinter

ROOT = Path(__file__).resolve().parents[1]
SHADERS = ROOT / "shaders"
SOURCE = SHADERS / "gstex.glsl"

PRINTERS: dict[str, type[Printer]] = {"hlsl": HlslPrinter, "metal": MetalPrinter, "wgsl": WgslPrinter}

_OPTION = re.compile(r"^#ifndef (\w+)\n#define \1 (\S+)\n#endif\n", re.MULTILINE)
# A uniform block: an array whose elements a macro returns. It exists if an engine defines the switch.
_UNIFORM = re.compile(
    r"#if defined\((?P<switch>\w+)\) && !defined\((?P<macro>\w+)\)\n"
    r"(?P<options>(?:#ifndef \w+\n#define \w+ \S+\n#endif\n)*)"
    r"#ifdef GL_ES\n.*\n#else\nlayout\(std140, binding = (?P<binding>\w+)\) uniform (?P<name>\w+) "
    r"\{ (?P<type>\w+) (?P<variable>\w+)\[(?P<size>\w+)\]; \};\n#endif\n"
    r"#define (?P=macro)\(i\) (?P=variable)\[i\]\n#endif\n"
)

_GUARD = "#define GSTEX_COMMON\n"  # under #ifndef: a shader with both decoders has the common part once
# The common part of gstex.glsl and gstex_expanded.glsl, from its first line to its last.
_COMMON = re.compile(r"^// ---- Common to .*?^// ---- End of what is common -*\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Words:
    """How a decoder declares the words of a texture.

    load: the macro that returns an element by its number. type: the type of an element. buffer: the name of the buffer.
    option: the prefix of the names of options. binding: of the buffer in WGSL, and the register in HLSL. context: the
    struct of the context in Metal. comments: by language, lines of the head comment and their replacements.
    """

    load: str
    type: str
    buffer: str
    option: str
    binding: int
    context: str
    comments: dict[str, dict[str, str]]

    @property
    def begins(self) -> str:
        """The first line of the block that declares the words."""
        return f"#if !defined({self.load}) && defined(GL_ES)\n"


_DEFINE = "// Define before the #include, where the default does not fit:\n"
_DEFINE_WGSL = "// Change these lines where their values do not fit; `gstex export --to wgsl` does so for a file:\n"
_INTRODUCTION = ("// The same text is GLSL 4.30 (words in a storage buffer) and GLSL ES 3.00 (words in an R32UI "
                 "texture). The format is\n")  # fmt: skip
_LOAD = "//   GSTEX_LOAD(i)  word i of the buffer that holds all materials. Every load goes through it.\n"
_BINDING = ("//   GSTEX_BINDING  of the storage buffer, default 0.    GSTEX_WIDTH  of the texture in texels, "
            "default 2048.\n")  # fmt: skip
_FROM = "tools/write_shaders.py writes this file from gstex.glsl. The format is\n"
PACKED = Words("GSTEX_LOAD", "uint", "gstex_words", "GSTEX", 0, "GstexContext", {
    "hlsl": {
        _INTRODUCTION: f"// HLSL, from shader model 5.0 on. {_FROM}",
        _BINDING: "//   GSTEX_REGISTER of the buffer, default t0; with a space: t3, space1.\n",
    },
    "metal": {
        _INTRODUCTION: f"// Metal, from version 2.0 on. {_FROM}",
        _BINDING: "//   GSTEX_WORDS    the type of that buffer, default device const uint *.\n",
    },
    "wgsl": {
        _INTRODUCTION: f"// WGSL. {_FROM}",
        _DEFINE: _DEFINE_WGSL,
        _LOAD: "//   gstex_load(i)  word i of the buffer that holds all materials. Every load goes through it.\n",
        _BINDING: "",
    },
})  # fmt: skip

_INTRODUCTION_4 = ("// The same text is GLSL 4.30 (a storage buffer of uvec4) and GLSL ES 3.00 (a texture in "
                   "RGBA32UI). The functions to call\n")  # fmt: skip
_LOAD_4 = ("//   GSTEX_LOAD4(i) words 4 i .. 4 i + 3 of the buffer that holds all materials. Every load goes through "
           "it.\n")  # fmt: skip
_BINDING_4 = ("//   GSTEX_EXPANDED_BINDING  of the storage buffer, default 1.    GSTEX_EXPANDED_WIDTH  of the texture "
              "in texels, default 2048.\n")  # fmt: skip
_FROM_4 = "tools/write_shaders.py writes this file from gstex_expanded.glsl. The functions to call\n"
EXPANDED = Words("GSTEX_LOAD4", "uvec4", "gstex_expanded_words", "GSTEX_EXPANDED", 1, "GstexExpandedContext", {
    "hlsl": {
        _INTRODUCTION_4: f"// HLSL, from shader model 5.0 on. {_FROM_4}",
        _BINDING_4: "//   GSTEX_EXPANDED_REGISTER  of the buffer, default t1; with a space: t3, space1.\n",
    },
    "metal": {
        _INTRODUCTION_4: f"// Metal, from version 2.0 on. {_FROM_4}",
        _BINDING_4: "//   GSTEX_EXPANDED_WORDS  the type of that buffer, default device const uint4 *.\n",
    },
    "wgsl": {
        _INTRODUCTION_4: f"// WGSL. {_FROM_4}",
        _DEFINE: "// Change these lines where their values do not fit:\n",
        _LOAD_4: _LOAD_4.replace("GSTEX_LOAD4(i)", "gstex_load4(i)"),
        _BINDING_4: "",
    },
})  # fmt: skip

_HLSL = """\
#ifndef {load}
#ifndef {option}_REGISTER
#define {option}_REGISTER t{binding}
#endif
StructuredBuffer<{type}> {buffer} : register({option}_REGISTER);
#define {load}(i) {buffer}[i]
#endif

// Of a, or of b where yes is true, component by component.
{selects}"""

_HLSL_UNPACKED = """
// Two numbers of 16 bits, low ones first, as 0 .. 1 and as -1 .. 1.
float2 gstex_unorm2x16(uint two) { return float2(two & 0xFFFFu, two >> 16) / 65535.0; }
float2 gstex_snorm2x16(uint two) { return max(float2(int(two << 16) >> 16, int(two) >> 16) / 32767.0, -1.0); }
"""

_METAL = """\
#include <metal_stdlib>
using namespace metal;

#ifndef {option}_WORDS
#define {option}_WORDS device const {type} *
#endif
#ifndef {load}
#define {load}(i) gstex.words[i]
#endif

// Where the words are, which Metal passes from function to function. A shader has one, and sets `words`.
struct {context} {{
    {option}_WORDS words;
{uniforms}{members}}};
"""

_HLSL_UNIFORM = """\
#if defined({switch}) && !defined({macro})
{options}cbuffer {name} : register({binding}) {{ {type} {variable}[{size}]; }};
#define {macro}(i) {variable}[i]
#endif
"""

_METAL_UNIFORM = """\
#if defined({switch}) && !defined({macro})
#define {macro}(i) gstex.{variable}[i]
#endif
"""

_WGSL = """\
@group(0) @binding({binding}) var<storage, read> {buffer}: array<{type}>;
fn {function}(i: {number}) -> {type} {{ return {buffer}[i]; }}
"""


def translate(text: str, language: str, name: str = "gstex.glsl") -> str:
    """Translate a decoder from GLSL to another language.

    Args:
        text: the text of shaders/gstex.glsl or gstex_expanded.glsl.
        language: a key of PRINTERS.
        name: the file name in messages.

    Raises:
        ShaderError: the text uses something that the tool cannot translate; the message has the line.
    """
    of = EXPANDED if EXPANDED.begins in text else PACKED
    options = dict(_OPTION.findall(text.partition(of.begins)[0]))
    hidden: list[str] = []

    def hide(match: re.Match[str]) -> str:
        """Replace a match by a comment of as many lines, which the printers leave in its place."""
        hidden.append(match[0])
        return f"//@{len(hidden) - 1}@" + "\n" * match[0].count("\n")

    block = re.escape(of.begins) + r"(?:#ifndef .*\n#define .*\n#endif\n|(?!#endif).*\n)*#endif\n"
    shown, count = re.subn(block, hide, text)
    uniforms = list(_UNIFORM.finditer(shown))
    shown = re.sub(f"^{_GUARD}", hide, _OPTION.sub(hide, _UNIFORM.sub(hide, shown)), flags=re.MULTILINE)
    if count != 1:
        raise ShaderError(f"{name}: expected one {of.begins.strip()}, which begins what declares the words")
    for match in re.finditer(r"^#define\b.*", shown, re.MULTILINE):
        line = shown.count("\n", 0, match.start()) + 1
        raise ShaderError(f"{name}:{line}: a macro; an option has a number as default, and all else is a function")
    if language == "wgsl":
        shown = _without_undefined(shown, name, options)
    kinds = {key: "uint" if value.endswith("u") else "int" for key, value in options.items()}
    program = annotate(
        parse(shown, name), shown, name, kinds, {uniform["macro"]: uniform["type"] for uniform in uniforms}
    )
    if common := _COMMON.search(text):  # its text must be the same in both decoders, constructors included
        program.built |= set(re.findall(r"^struct (\w+)", common[0], re.MULTILINE)) - {
            name for name, sized in program.sized.items() if sized
        }
    printer = PRINTERS[language](program)
    if isinstance(printer, MetalPrinter):
        printer.context = of.context
    body = re.sub(rf".*{GONE}.*\n", "", printer.text(program.tree))
    for number, part in enumerate(hidden):
        there = f"//@{number}@" + "\n" * part.count("\n")
        if part.startswith(of.begins):
            part = _words(of, printer, uniforms, body)
        elif part == _GUARD:
            part = "" if language == "wgsl" else part
            there += "" if part else "\n"
        elif uniform := _UNIFORM.fullmatch(part):
            part = _uniform(printer, uniform)
            there += "" if part else "\n"
        elif language == "wgsl":
            [(key, value)] = _OPTION.findall(part)
            part = f"const {key}: {printer.type_name(kinds[key])} = {value};\n"
        body = body.replace(there, part)
    for comment, instead in of.comments[language].items():
        if text.count(comment) != 1:
            raise ShaderError(f"{name}: expected one line {comment.strip()!r}")
        body = body.replace(comment, instead)
    for declared in uniforms:
        places = {
            "hlsl": rf"{_register(declared)}, default b\1",
            "metal": f"{of.context}::{declared['variable']}",
            "wgsl": "",
        }
        body = re.sub(rf"{declared['binding']}, default (\d+)", places[language], body)
    if language == "wgsl":  # names that nobody can define in WGSL are no options
        for entry in re.findall(r"^//   GSTEX_\w+.*\n(?://       .*\n)*", body, re.MULTILINE):
            if entry.split()[1] not in options:
                body = body.replace(entry, "", 1)
    return re.sub(r"^// (\w+)\.glsl:", rf"// \1.{language}:", body, count=1)


# The block encoders: bc.glsl and bc7.glsl in one file, and the text above them.
ENCODERS: dict[str, type[Printer]] = {"hlsl": HlslPrinter, "wgsl": WgslPrinter}
_ENCODER_HEAD = """\
// bc.{language}: encodes 4x4 texels as a block of BC1, BC4, BC5 or BC7. {of}.
// tools/write_shaders.py writes this file from bc.glsl and bc7.glsl.
//
// All arithmetic is in whole numbers, so that every GPU and compiler makes the same blocks.
//
{define}
//
"""
_ENCODER_DEFINE = {
    "hlsl": """\
// Define before the #include:
//   GSTEX_TEXEL(at, i)  texel i of the block `at`, row by row from the top left one: 8 bits each of R, G, B and A,
//                       R the lowest. `at` is what the caller gives to an encoder.""",
    "wgsl": """\
// The module has to have a function beside it:
//   fn gstex_bc_texel(at: i32, i: i32) -> u32
//                       texel i of the block `at`, row by row from the top left one: 8 bits each of R, G, B and A,
//                       R the lowest. `at` is what the caller gives to an encoder.""",
}
_ENCODER_OF = {"hlsl": "HLSL, from shader model 5.0 on", "wgsl": "WGSL"}


def translate_encoders(texts: Sequence[str], language: str) -> str:
    """Translate the encoders from GLSL to a language of ENCODERS.

    texts: the texts of shaders/bc.glsl and bc7.glsl. Their lines for C++ are left out.
    """
    way = re.search(r"^// The way of all encoders.*?\n\n", texts[0], re.MULTILINE | re.DOTALL)
    modes = re.search(r"^// Modes: .*?\n\n", texts[1], re.MULTILINE | re.DOTALL)
    if not way or not modes:
        raise ShaderError("bc.glsl: expected the comments `The way of all encoders` and, in bc7.glsl, `Modes`")
    rest = re.sub(r"#ifndef GSTEX_BC\n.*?#endif\n\n", "", texts[0][way.end() :], flags=re.DOTALL)
    shown = f"{way[0]}{rest}\n{modes[0]}{texts[1][modes.end() :]}"
    shown = re.sub(r"^GSTEX_BC(?:_TABLE)? ", "", shown, flags=re.MULTILINE).replace("GSTEX_BC_TOP_BIT(", "findMSB(")
    printer = ENCODERS[language](annotate(parse(shown, "bc.glsl"), shown, "bc.glsl", {}))
    head = _ENCODER_HEAD.format(language=language, of=_ENCODER_OF[language], define=_ENCODER_DEFINE[language])
    return head + printer.text(printer.program.tree)


def _without_undefined(text: str, name: str, options: Collection[str]) -> str:
    """A text without the lines under #if of names that are no options, since nobody can define them in WGSL. Keeps the
    number of lines."""
    lines: list[str] = []
    stack: list[list[bool]] = []  # for each #if: whether it tests such a name, and whether its lines are kept
    for number, line in enumerate(text.split("\n"), 1):
        word = re.match(r"#(ifdef|ifndef|if|elif|else|endif)\b", line)
        names = re.fullmatch(r"#(ifn?def (\w+)|if (!?)defined\((\w+)\)) *", line)
        mine = bool(stack) and stack[-1][0]
        if word and word[1].startswith("if"):
            if names:
                absent = (names[2] or names[4]) not in options
                stack.append([True, absent == (word[1] == "ifndef" or names[3] == "!")])
            elif "defined" in line:
                raise ShaderError(f"{name}:{number}: {line}: in WGSL, #if takes one defined(NAME)")
            else:
                stack.append([False, True])
            mine = stack[-1][0]
        elif word and not stack:
            raise ShaderError(f"{name}:{number}: {line} without #if")
        elif word and mine and word[1] == "elif":
            raise ShaderError(f"{name}:{number}: {line}: in WGSL, not behind #ifdef; put it under #else")
        elif word and mine and word[1] == "else":
            stack[-1][1] = not stack[-1][1]
        gone = (word and mine) or not all(there for _, there in stack)
        lines.append(f"//{GONE}" if gone else line)
        if word and word[1] == "endif":
            stack.pop()
    return "\n".join(lines)


def _register(uniform: re.Match[str]) -> str:
    return uniform["binding"].replace("BINDING", "REGISTER")


def _uniform(printer: Printer, uniform: re.Match[str]) -> str:
    """The declaration of a uniform block; '' in WGSL, which has no switch for it."""
    parts = uniform.groupdict() | {"type": printer.type_name(uniform["type"])}
    if isinstance(printer, HlslPrinter):
        register = _register(uniform)
        options = re.sub(rf"{uniform['binding']}\b( \d)?", lambda m: register + (f" b{m[1][1:]}" if m[1] else ""),
                         uniform["options"])  # fmt: skip
        return _HLSL_UNIFORM.format(**parts | {"binding": register, "options": options})
    return _METAL_UNIFORM.format(**parts) if isinstance(printer, MetalPrinter) else ""


def _words(of: Words, printer: Printer, uniforms: Sequence[re.Match[str]], body: str) -> str:
    """The declaration of the words. body: the translated text of the decoder."""
    parts = {key: getattr(of, key) for key in ("load", "buffer", "option", "binding", "context")}
    parts["type"] = printer.type_name(of.type)
    if isinstance(printer, HlslPrinter):
        unpacked = _HLSL_UNPACKED if "gstex_unorm2x16(" in body else ""
        return _HLSL.format(**parts, selects=printer.selects()) + unpacked
    if isinstance(printer, MetalPrinter):
        fields = (f"#ifdef {uniform['switch']}\n    constant {printer.type_name(uniform['type'])} "
                  f"*{uniform['variable']};\n#endif\n"
                  for uniform in uniforms)  # fmt: skip
        return _METAL.format(**parts, members=printer.members(), uniforms="".join(fields))
    return _WGSL.format(**parts, function=of.load.lower(), number=printer.type_name(LOADS[of.load][0][0]))


def written() -> dict[Path, str]:
    """The text of every written file by path."""
    text, other = SOURCE.read_text(encoding="utf-8"), SOURCE.with_name("gstex_expanded.glsl")
    expanded = other.read_text(encoding="utf-8")
    common = _COMMON.findall(text)
    if len(common) != 1 or len(_COMMON.findall(expanded)) != 1:
        raise ShaderError(f"{other.name}: expected one part that is common to it and {SOURCE.name} in each of them")
    expanded = _COMMON.sub(lambda _: common[0], expanded)
    texts = {other: expanded}
    for path, source in ((SOURCE, text), (other, expanded)):
        texts |= {path.with_suffix(f".{language}"): translate(source, language, path.name) for language in PRINTERS}
    encoders = [(SHADERS / name).read_text(encoding="utf-8") for name in ("bc.glsl", "bc7.glsl")]
    texts |= {SOURCE.with_name(f"bc.{language}"): translate_encoders(encoders, language) for language in ENCODERS}
    return texts


def main() -> int:
    """Write or check the files; returns the exit code."""
    try:
        files = written()
    except ShaderError as error:
        print(f"shaders/{error}", file=sys.stderr)
        return 1
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what tools/write_shaders.py writes")
        return 1 if stale else 0
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
