"""Printers of a program of glsl_types, which keep comments and line breaks: the common part of all languages, and the
printers of HLSL and Metal."""

from __future__ import annotations

import re
from typing import ClassVar

from shader_writer.glsl_syntax import Node
from shader_writer.glsl_types import BITS, RELATIONS, Program, element, is_vector, width

__all__ = ["HlslPrinter", "MetalPrinter", "Printer", "aligned", "wrapped"]

_KEPT = frozenset((
    "abs", "sign", "floor", "ceil", "trunc", "sqrt", "exp", "exp2", "log", "log2", "sin", "cos", "normalize", "pow",
    "max", "min", "clamp", "step", "smoothstep", "cross", "length", "distance", "dot", "any", "all",
))  # fmt: skip
_SAME_SIZE = frozenset(("max", "min", "clamp", "step", "smoothstep", "pow"))  # their arguments have one type


class Printer:
    """Prints a tree unchanged. A language overrides `_<kind>` for each kind of node that it writes differently."""

    RESERVED: frozenset[str] = frozenset()  # words that GLSL allows as names
    FUNCTIONS: ClassVar[dict[str, str]] = {}  # name in GLSL -> name in the language
    TYPES: ClassVar[dict[str, str]] = {"float": "float", "int": "int", "uint": "uint", "bool": "bool"}

    def __init__(self, program: Program):
        self.program = program
        self.source = program.text

    def text(self, node: Node) -> str:
        """The text of a node in the language."""
        method = getattr(self, "_" + node.kind, None)
        return str(method(node)) if method else self.plain(node)

    def plain(self, node: Node) -> str:
        """The source text of a node in which its parts are written in the language."""
        return self.filled(node.start, node.children(), node.end)

    def filled(self, start: int, nodes: list[Node], end: int) -> str:
        """The source text from start to end in which these nodes are written in the language."""
        text = ""
        for node in nodes:
            text += self.source[start : node.start] + self.text(node)
            start = node.end
        return text + self.source[start:end]

    def type_name(self, kind: str) -> str:
        """The name of a type in the language; of an array, that of its elements."""
        kind = kind.removesuffix("[]")
        if is_vector(kind):
            return f"{self.TYPES[element(kind)]}{width(kind)}"
        return self.TYPES.get(kind, kind)

    def renamed(self, name: str) -> str:
        return name + "_" if name in self.RESERVED else name

    def _name(self, node: Node) -> str:
        return self.renamed(node.text)

    def _member(self, node: Node) -> str:
        of = self.program.of(node.of)
        field = node.field.text if is_vector(of) else self.renamed(node.field.text)
        return f"{self.operand(node.of)}.{field}"

    def _index(self, node: Node) -> str:
        return self.operand(node.of) + self.filled(node.of.end, [node.at], node.end)

    def operand(self, node: Node) -> str:
        """The text of an expression before an index or a member."""
        return self.text(node)

    def _type(self, node: Node) -> str:
        return self.type_name(node.text)

    # ---- Calls ----

    def arguments(self, node: Node) -> list[str]:
        """The texts of the arguments of a call, each with the space before it in the source."""
        texts = []
        at = self.source.index("(", node.callee.end) + 1
        for argument in node.arguments:
            texts.append(self.source[at : argument.start] + self.argument(node, argument))
            at = argument.end
            if argument is not node.arguments[-1]:
                at = self.source.index(",", at) + 1
        return texts

    def argument(self, call: Node, node: Node) -> str:
        return self.text(node)

    def _call(self, node: Node) -> str:
        name = node.callee.text
        given = self.arguments(node)
        kinds = [self.program.of(argument) for argument in node.arguments]
        if node.callee.kind == "type":
            if name in self.program.structs:
                return self.make(name, given)
            return self.construct(name, given, kinds, node.arguments)
        if name in self.program.buffers or name in self.program.functions or name in self.program.macros:
            return self.called(name, given)
        if name in RELATIONS:
            first, second = (f"({text.strip()})" if argument.kind in ("binary", "ternary") else text.strip()
                             for text, argument in zip(given, node.arguments, strict=True))  # fmt: skip
            return f"({first} {RELATIONS[name]} {second})"
        if name == "not":
            return f"!({given[0]})"
        if name == "mix" and element(kinds[2]) == "bool":
            return self.select(given, kinds)
        if name in _SAME_SIZE:
            given = self.same_size(given, kinds, node.arguments)
        written = self.FUNCTIONS.get(name, name if name in _KEPT else "")
        if not written:
            self.program.fail(node, f"no word for {name} in {type(self).__name__.removesuffix('Printer')}")
        return f"{written}({','.join(given)})"

    def called(self, name: str, given: list[str]) -> str:
        return f"{self.renamed(name)}({','.join(given)})"

    def make(self, struct: str, given: list[str]) -> str:
        """The construction of a struct from all its fields."""
        return f"{struct}({','.join(given)})"

    def construct(self, name: str, given: list[str], kinds: list[str], nodes: list[Node]) -> str:
        """The construction of a scalar or a vector from other values."""
        if len(given) == 1 and width(kinds[0]) > width(name) > 1:
            given = [self.operand(nodes[0]) + "." + "xyzw"[: width(name)]]
        return f"{self.type_name(name)}({','.join(given)})"

    def select(self, given: list[str], kinds: list[str]) -> str:
        """The choice by component between two vectors: the second where the third vector is true."""
        return f"select({','.join(given)})"

    def same_size(self, given: list[str], kinds: list[str], nodes: list[Node]) -> list[str]:
        """Arguments of a function whose arguments all have one type."""
        return given

    def splat(self, given: list[str], kinds: list[str], nodes: list[Node]) -> list[str]:
        """Arguments in which scalars are widened to the size of the largest vector."""
        largest = max(kinds, key=width)
        return [
            text if width(kind) == width(largest) else
            re.match(r"\s*", text)[0] + self.construct(largest, [text.strip()], [kind], [node])  # type: ignore[index]
            for text, kind, node in zip(given, kinds, nodes, strict=True)
        ]  # fmt: skip


def aligned(text: str) -> str:
    """Align the comments behind the fields of a struct in one column."""
    lines = [re.match(r"(.*?\S)( +)(//.*)$", line) for line in text.splitlines()]
    column = max((len(line[1]) for line in lines if line and len(line[2]) > 1), default=0) + 1
    return "\n".join(
        f"{match[1]:<{column}}{match[3]}" if match and len(match[1]) < column else line
        for match, line in zip(lines, text.splitlines(), strict=True)
    )


def wrapped(text: str, body: str) -> str:
    """The head of a function and its body, with lines of at most 120 characters."""
    if len(text + body.partition("\n")[0]) <= 120:
        return text + body
    if "\n" not in body:
        body = "\n" + body.lstrip()
    if len(text + body.partition("\n")[0]) <= 120:
        return text + body
    at = text.rindex(", ", 0, 118) + 1
    return text[:at] + "\n" + " " * (text.index("(") + 1) + text[at:].lstrip() + body


def _spaced(text: str) -> str:
    return text if text[:1].isspace() else " " + text


class HlslPrinter(Printer):
    RESERVED = frozenset((
        "asm", "BlendState", "cbuffer", "centroid", "compile", "half", "double", "dword", "export", "extern", "fixed",
        "fxgroup", "groupshared", "interface", "line", "lineadj", "linear", "matrix", "namespace", "noperspective",
        "packoffset", "pass", "pixelfragment", "point", "precise", "register", "sample", "sampler", "shader", "shared",
        "snorm", "string", "tbuffer", "technique", "texture", "triangle", "triangleadj", "unorm", "unsigned", "vector",
        "vertexfragment", "volatile", "this", "template", "typename", "operator", "private", "protected", "public",
        "lerp", "frac", "select",
    ))  # fmt: skip
    FUNCTIONS: ClassVar[dict[str, str]] = {
        "mix": "lerp", "fract": "frac", "inversesqrt": "rsqrt", "uintBitsToFloat": "asfloat",
        "intBitsToFloat": "asfloat", "floatBitsToUint": "asuint", "floatBitsToInt": "asint",
        "unpackUnorm2x16": "gstex_unorm2x16", "unpackSnorm2x16": "gstex_snorm2x16",
    }  # fmt: skip

    def __init__(self, program: Program):
        super().__init__(program)
        self.selected: set[str] = set()  # types for which gstex_select is needed
        self.loops: dict[int, str] = {}  # new names of loop variables, by id of the variable

    def _function(self, node: Node) -> str:
        self._tell_loops_apart(
            node.body, {parameter.name.text for parameter in node.parameters}, self.program.source(node)
        )
        return self.plain(node)

    def _tell_loops_apart(self, node: Node, outside: set[str], function: str) -> None:
        """Give loop variables distinct names. Compilers before HLSL 2021 put a loop variable into the block around the
        loop and warn of a second one with its name, which gets a number here."""
        names = set(outside) if node.kind == "block" else outside
        for child in node.children():
            if child.kind == "for" and child.first is not None and child.first.kind == "declaration":
                [declarator] = child.first.declarators
                name, number = declarator.name.text, 2
                while name in names or (number > 2 and re.search(rf"\b{name}\b", function)):
                    name, number = f"{declarator.name.text}{number}", number + 1
                self.loops[id(self.program.variable[id(declarator.name)])] = name
                names.add(name)
            elif child.kind == "declaration":
                names |= {declarator.name.text for declarator in child.declarators}
            self._tell_loops_apart(child, names, function)

    def _name(self, node: Node) -> str:
        variable = self.program.variable.get(id(node))
        return self.renamed(self.loops.get(id(variable), node.text))

    def _declaration(self, node: Node) -> str:
        static = "static " if node in self.program.tree.body else ""
        return static + self.plain(node)

    def _struct(self, node: Node) -> str:
        name, text = node.name.text, aligned(self.plain(node))
        if name not in self.program.built:
            return text
        fields = [(self.type_name(kind), self.renamed(key)) for key, kind in self.program.structs[name]]
        head, lines = f"{name} make_{name}(", []
        line = head
        for kind, key in fields:
            part = f"{kind} {key}, "
            if len(line) + len(part) > 118:
                lines.append(line.rstrip())
                line = " " * len(head)
            line += part
        lines.append(line.rstrip(", ") + ")")
        sets = "".join(f"    made.{key} = {key};\n" for _, key in fields)
        return text + "\n" + "\n".join(lines) + f"\n{{\n    {name} made;\n{sets}    return made;\n}}"

    def make(self, struct: str, given: list[str]) -> str:
        return f"make_{struct}({','.join(given)})"

    def construct(self, name: str, given: list[str], kinds: list[str], nodes: list[Node]) -> str:
        if len(given) == 1 and width(kinds[0]) == 1 < width(name):
            kind = nodes[0].kind
            inner = given[0].strip() if kind in ("literal", "name", "paren", "call", "member", "index") else (
                f"({given[0].strip()})")  # fmt: skip
            return f"({self.type_name(name)}){inner}"
        return super().construct(name, given, kinds, nodes)

    def operand(self, node: Node) -> str:
        text = self.text(node)
        return f"({text})" if node.kind == "call" and text.startswith("(") and not text.endswith("))") else text

    def _binary(self, node: Node) -> str:
        """dxc needs a type for a literal that is shifted by a variable."""
        if node.op != "<<" or node.left.kind != "literal" or self.program.of(node.left) != "int":
            return self.plain(node)
        return f"int({node.left.text})" + self.filled(node.left.end, [node.right], node.end)

    def _call(self, node: Node) -> str:
        if node.callee.text == "findMSB":  # uint in HLSL
            return f"int(firstbithigh({','.join(self.arguments(node))}))"
        return super()._call(node)

    def select(self, given: list[str], kinds: list[str]) -> str:
        self.selected.add(kinds[0])
        return f"gstex_select({','.join(given)})"

    def selects(self) -> str:
        """The functions `gstex_select` for the types that the text needs. No choice by component works both in HLSL
        2021 and in older compilers."""
        text = ""
        for kind in sorted(self.selected):
            name, flags = self.type_name(kind), self.type_name(f"bvec{width(kind)}")
            parts = ", ".join(f"yes.{c} ? b.{c} : a.{c}" for c in "xyzw"[: width(kind)])
            guard = f"GSTEX_SELECT_{name.upper()}"  # both decoders may be in one shader
            text += f"#ifndef {guard}\n#define {guard}\n{name} gstex_select({name} a, {name} b, {flags} yes) {{\n"
            text += f"    return {name}({parts});\n}}\n#endif\n"
        return text


class MetalPrinter(Printer):
    RESERVED = frozenset((
        "alignas", "alignof", "and", "asm", "auto", "catch", "char", "class", "compl", "constant", "constexpr",
        "decltype", "delete", "device", "double", "enum", "explicit", "extern", "fragment", "friend", "goto", "half",
        "inline", "kernel", "long", "mutable", "namespace", "new", "noexcept", "not", "nullptr", "operator", "or",
        "private", "protected", "public", "register", "short", "signed", "sizeof", "static", "template", "texture",
        "this", "thread", "threadgroup", "throw", "try", "typedef", "typeid", "typename", "union", "unsigned", "using",
        "vertex", "virtual", "volatile", "xor", "gstex", "metal", "sampler", "select", "as_type",
    ))  # fmt: skip
    FUNCTIONS: ClassVar[dict[str, str]] = {
        "mix": "mix", "fract": "fract", "inversesqrt": "rsqrt", "unpackUnorm2x16": "unpack_unorm2x16_to_float",
        "unpackSnorm2x16": "unpack_snorm2x16_to_float",
    }  # fmt: skip
    context = "GstexContext"

    def needs_context(self, name: str) -> bool:
        function = self.program.functions.get(name)
        return function is not None and (function.loads or bool(function.globals))

    def _literal(self, node: Node) -> str:
        return str(node.text) + ("f" if self.program.of(node) == "float" else "")

    def _name(self, node: Node) -> str:
        variable = self.program.variable.get(id(node))
        member = variable is not None and variable.kind == "global"
        return ("gstex." if member else "") + self.renamed(node.text)

    def _declaration(self, node: Node) -> str:
        if node not in self.program.tree.body:
            return self.plain(node)
        if not node.const:
            return f"// {', '.join(declarator.name.text for declarator in node.declarators)}: of {self.context}"
        start = node.type.start
        return "constexpr constant " + self.filled(start, [n for n in node.children() if n.start >= start], node.end)

    def members(self) -> str:
        """Fields of the context for the global variables of GLSL, with their #if."""
        fields, conditions = "", []
        for node in self.program.tree.body:
            if node.kind == "directive":
                if node.text.startswith("#if"):
                    conditions.append(node.text)
                elif node.text.startswith("#endif"):
                    conditions.pop()
            elif node.kind == "declaration" and not node.const:
                fields += "".join(f"{line}\n" for line in conditions)
                kind = self.type_name(node.type.text)
                fields += "".join(f"    {kind} {self.array(declarator)};\n" for declarator in node.declarators)
                fields += "#endif\n" * len(conditions)
        return re.sub(r"#endif\n(#if[^\n]*\n)", lambda m: "" if fields.count(m[1]) > 1 else m[0], fields)

    def array(self, declarator: Node) -> str:
        return self.renamed(declarator.name.text) + self.filled(
            declarator.name.end, [declarator.size] if declarator.size else [], declarator.end
        )

    def _function(self, node: Node) -> str:
        children = [child for child in node.children() if child is not node.body]
        close = self.source.index(")", children[-1].end) + 1
        head = self.filled(node.start, children, close)
        if self.needs_context(node.name.text):
            head = head.replace("(", f"(thread {self.context} &gstex" + (", " if node.parameters else ""), 1)
        return wrapped("inline " + head, self.source[close : node.body.start] + self.text(node.body))

    def _parameter(self, node: Node) -> str:
        if node.qualifier == "inout":
            return f"thread {self.text(node.type)} &{self.text(node.name)}"
        return f"{self.text(node.type)} {self.text(node.name)}"

    def called(self, name: str, given: list[str]) -> str:
        if self.needs_context(name):
            given = ["gstex", *(_spaced(argument) if i == 0 else argument for i, argument in enumerate(given))]
        return super().called(name, given)

    def _struct(self, node: Node) -> str:
        return aligned(self.plain(node))

    def make(self, struct: str, given: list[str]) -> str:
        return f"{struct}{{{','.join(given)}}}"

    def same_size(self, given: list[str], kinds: list[str], nodes: list[Node]) -> list[str]:
        return self.splat(given, kinds, nodes)

    def _call(self, node: Node) -> str:
        name = node.callee.text
        if name in BITS:
            to = self.type_name(self.program.of(node))
            return f"as_type<{to}>({','.join(self.arguments(node))})"
        return super()._call(node)

    def _binary(self, node: Node) -> str:
        return self.text(node.left) + self.source[node.left.end : node.right.start] + self.by(node)

    def _assign(self, node: Node) -> str:
        start = self.text(node.left) + self.source[node.left.end : node.right.start]
        return start + self.by(node) + self.source[node.right.end : node.end]

    def by(self, node: Node) -> str:
        """The right side of an operator. For shifts and masks it gets the type of the left side, because Metal is sure
        to widen a scalar only for arithmetic."""
        left, right = self.program.of(node.left), self.program.of(node.right)
        text = self.text(node.right)
        if node.op.removesuffix("=") not in ("<<", ">>", "&", "|", "^") or not is_vector(left) or left == right:
            return text
        return self.construct(left, [text], [right], [node.right])
