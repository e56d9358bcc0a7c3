"""The printer of WGSL, which has no preprocessor, no inout, no choice by ?:, no assignment to a swizzle, and other
rules of operator precedence."""

from __future__ import annotations

import re
from typing import ClassVar

from shader_writer.glsl_syntax import Node
from shader_writer.glsl_types import BITS, LOADS, Program, element, is_vector, vector, width
from shader_writer.printer import Printer, aligned, wrapped

__all__ = ["GONE", "WgslPrinter"]

GONE = "\0"  # marks lines that are left out
_LOADED = {"GSTEX_TEXEL": "gstex_bc_texel"}  # names of functions; others have that of the macro in lower case
_SUMS, _PRODUCTS = ("+", "-"), ("*", "/", "%")
_SHIFTS, _MASKS = ("<<", ">>"), ("&", "|", "^")
_COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")


class WgslPrinter(Printer):
    RESERVED = frozenset((
        "NULL", "Self", "abstract", "active", "alias", "alignas", "alignof", "as", "asm", "asm_fragment", "async",
        "attribute", "auto", "await", "become", "cast", "catch", "class", "co_await", "co_return", "co_yield",
        "coherent", "column_major", "common", "compile", "compile_fragment", "concept", "const_assert", "const_cast",
        "consteval", "constexpr", "constinit", "crate", "debugger", "decltype", "default", "delete", "demote",
        "demote_to_helper", "diagnostic", "dynamic_cast", "enable", "enum", "explicit", "export", "extends", "extern",
        "external", "fallthrough", "filter", "final", "finally", "fn", "friend", "from", "fxgroup", "get", "goto",
        "groupshared", "handle", "highp", "impl", "implements", "import", "inline", "instanceof", "interface", "layout",
        "let", "loop", "lowp", "macro", "macro_rules", "match", "mediump", "meta", "mod", "module", "move", "mut",
        "mutable", "namespace", "new", "nil", "noexcept", "noinline", "nointerpolation", "non_coherent", "noncoherent",
        "noperspective", "null", "nullptr", "of", "operator", "override", "package", "packoffset", "partial", "pass",
        "patch", "pixelfragment", "precise", "precision", "premerge", "priv", "protected", "pub", "public", "ptr",
        "readonly", "ref", "regardless", "register", "reinterpret_cast", "require", "requires", "resource", "restrict",
        "select", "self", "set", "shared", "sizeof", "smooth", "snorm", "static", "static_assert", "static_cast", "std",
        "subroutine", "super", "switch", "target", "template", "this", "thread_local", "throw", "trait", "try", "type",
        "typedef", "typeid", "typename", "typeof", "union", "unless", "unorm", "unsafe", "unsized", "use", "using",
        "var", "varying", "virtual", "volatile", "wgsl", "where", "with", "writeonly", "yield",
    ))  # fmt: skip
    FUNCTIONS: ClassVar[dict[str, str]] = {
        "mix": "mix", "fract": "fract", "inversesqrt": "inverseSqrt", "unpackUnorm2x16": "unpack2x16unorm",
        "unpackSnorm2x16": "unpack2x16snorm",
    }  # fmt: skip
    TYPES: ClassVar[dict[str, str]] = {"float": "f32", "int": "i32", "uint": "u32", "bool": "bool"}

    def __init__(self, program: Program):
        super().__init__(program)
        self.conditions: dict[int, str] = {}  # text that replaces a directive, by id of its node
        self.sizes = {id(declarator.size) for declarator in self._in_conditions(program.tree.body)}

    def type_name(self, kind: str) -> str:
        kind = kind.removesuffix("[]")
        if not is_vector(kind):
            return self.TYPES.get(kind, kind)
        of = element(kind)
        return f"vec{width(kind)}<bool>" if of == "bool" else f"vec{width(kind)}{of[0]}"

    # ---- Directives: code under a false #if is kept, but does not run ----

    def _in_conditions(self, body: list[Node]) -> list[Node]:
        """Global arrays under an #if. Their size may be 0 if the condition is false, which WGSL does not allow."""
        depth, arrays = 0, []
        for node in body:
            if node.kind == "directive":
                depth += node.text.startswith("#if") - node.text.startswith("#endif")
            elif node.kind == "declaration" and depth:
                arrays += [declarator for declarator in node.declarators if declarator.size is not None]
        return arrays

    def _directive(self, node: Node) -> str:
        return self.conditions.get(id(node), GONE)

    def _block(self, node: Node) -> str:
        inside: list[Node] = []
        first = None
        for inner in node.body:
            if inner.kind != "directive":
                inside.append(inner)
                continue
            if inner.text.startswith("#if "):
                if first is not None:
                    self.program.fail(inner, "#if inside #if")
                first = inner
            elif first is None or inner.text.split()[0] not in ("#else", "#endif"):
                self.program.fail(inner, f"{inner.text.split()[0]} inside a function")
            else:
                self._condition(first, inner, inside)
                first = None if inner.text.startswith("#endif") else first
            inside = []
        return self.plain(node)

    def _condition(self, first: Node, last: Node, inside: list[Node]) -> None:
        declares = [inner.kind == "declaration" for inner in inside]
        if any(declares):  # the declared name may be used under a later #if
            if not all(declares) or last.text.startswith("#else"):
                self.program.fail(first, "under #if, declarations stand alone in WGSL; put the rest under another #if")
            return
        match = re.fullmatch(r"#if (\w+) (>|<|>=|<=|==|!=) (\d+)", first.text)
        if not match or match[1] not in self.program.globals:
            self.program.fail(first, f"{first.text}: not an option and a number, which WGSL can compare")
        if not inside:
            self.program.fail(first, "nothing stands under it")
        line = self.source.rfind("\n", 0, inside[0].start) + 1
        space = self.source[line : inside[0].start]
        self.conditions.setdefault(id(first), f"{space}if ({match[1]} {match[2]} {match[3]}) {{")
        self.conditions[id(last)] = f"{space}}} else {{" if last.text.startswith("#else") else f"{space}}}"

    # ---- Declarations ----

    def _struct(self, node: Node) -> str:
        text = self.filled(node.start, [node.name, *node.fields], node.end)
        return aligned(text.removesuffix(";"))

    def declared(self, node: Node) -> list[str]:
        """`name: type` and, if there is one, ` = value` of each declarator."""
        texts = []
        for declarator in node.declarators:
            kind = self.type_name(node.type.text)
            if declarator.size is not None:
                size = self.text(declarator.size)
                kind = f"array<{kind}, {f'max({size}, 1)' if id(declarator.size) in self.sizes else size}>"
            value = ""
            if declarator.value is not None:
                at = declarator.name.end if declarator.size is None else self.source.index("]", declarator.size.end) + 1
                equals = self.source[at : declarator.value.start]
                value = equals + self.text(declarator.value)
            texts.append(f"{self.renamed(declarator.name.text)}: {kind}{value}")
        return texts

    def _declaration(self, node: Node) -> str:
        parts = self.declared(node)
        gaps = [self.source[a.end : b.start].replace(",", "", 1)
                for a, b in zip(node.declarators, node.declarators[1:], strict=False)]  # fmt: skip
        variables = [self.program.variable.get(id(declarator.name)) for declarator in node.declarators]
        if variables[0] is None:  # a field of a struct
            joined = parts[0] + "".join(f",{gap}{part}" for gap, part in zip(gaps, parts[1:], strict=True))
            return joined + ","
        statements = []
        for i, (declarator, variable) in enumerate(zip(node.declarators, variables, strict=True)):
            assert variable is not None
            if variable.kind == "global":
                word = "var<private>"
            elif node.const:
                word = "const"
            else:
                word = "var" if variable.assigned or declarator.value is None else "let"
            statements.append(f"{word} {parts[i]};")
        indent = self.indent(node.start)
        if len(indent + " ".join(statements)) > 120:
            gaps = [gap if "\n" in gap else "\n" + indent for gap in gaps]
        return statements[0] + "".join(gap + statement for gap, statement in zip(gaps, statements[1:], strict=True))

    def _function(self, node: Node) -> str:
        name, inner, copies = node.name, "", []
        at = self.source.index("(", name.end) + 1
        for i, parameter in enumerate(node.parameters):
            variable = self.program.variable[id(parameter.name)]
            kind, key = self.type_name(parameter.type.text), self.renamed(parameter.name.text)
            if variable.kind == "inout":
                kind = f"ptr<function, {kind}>"
            elif variable.assigned:
                copies.append(f"var {key} = {key}_in;")
                key += "_in"
            inner += self.source[at : parameter.start].replace(",", "", 1) + f"{key}: {kind}"
            inner += "," if i < len(node.parameters) - 1 else ""
            at = parameter.end
        result = "" if node.type.text == "void" else f" -> {self.type_name(node.type.text)}"
        close = self.source.index(")", at) + 1
        body = self.text(node.body)
        if copies:
            space = "\n    " if body[1:2] == "\n" else " "
            body = "{" + "".join(space + copy for copy in copies) + body[1:]
        return wrapped(f"fn {self.renamed(name.text)}({inner}){result}", self.source[close : node.body.start] + body)

    # ---- Statements ----

    def braced(self, start: int, node: Node) -> str:
        """The text of a statement in braces, which WGSL needs, and the space from `start` before it."""
        gap = self.source[start : node.start]
        if node.kind == "block":
            return gap + self.text(node)
        close = "\n" + self.indent(start) if "\n" in gap else " "
        return f" {{{gap}{self.text(node)}{close}}}"

    def indent(self, at: int) -> str:
        """The indentation of the line of a place in the source."""
        line = self.source[self.source.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip())]

    def _if(self, node: Node) -> str:
        close = self.source.index(")", node.condition.end) + 1
        text = f"if ({self.text(node.condition)}){self.braced(close, node.yes)}"
        if node.no is not None:
            at = self.source.index("else", node.yes.end)
            text += self.source[node.yes.end : at] + "else"
            gap = self.source[at + 4 : node.no.start]
            text += gap + self.text(node.no) if node.no.kind == "if" else self.braced(at + 4, node.no)
        return text

    def _for(self, node: Node) -> str:
        first = self.text(node.first) if node.first else ";"
        condition = " " + self.text(node.condition) if node.condition else ""
        after = " " + self.text(node.next) if node.next else ""
        at = (node.next or node.condition or node.first).end
        return f"for ({first}{condition};{after})" + self.braced(self.source.index(")", at) + 1, node.body)

    def _while(self, node: Node) -> str:
        close = self.source.index(")", node.condition.end) + 1
        return f"while ({self.text(node.condition)})" + self.braced(close, node.body)

    def _step(self, node: Node) -> str:
        return f"{self.text(node.inner)}{node.op}" + (";" if self.source[node.end - 1] == ";" else "")

    def _assign(self, node: Node) -> str:
        left, right = self.program.of(node.left), self.program.of(node.right)
        op, value = node.op.removesuffix("="), self.text(node.right)
        if op in _SHIFTS:
            value = self.shift_by(node.right, left)
        elif op in _MASKS:
            value = self.splat([value], [right], [node.right])[0] if width(left) == width(right) else (
                self.construct(left, [value], [right], [node.right]))  # fmt: skip
        space = self.source[node.left.end : node.right.start]
        end = self.source[node.right.end : node.end]
        if node.left.kind != "member" or not is_vector(self.program.of(node.left.of)) or width(left) == 1:
            return f"{self.text(node.left)}{space}{value}{end}"
        return self._swizzled(node, op, value) + end

    def _swizzled(self, node: Node, op: str, value: str) -> str:
        """Write `v.xy += e` as `v = vec4f(v.xy + (e), v.zw)`."""
        of, letters = self.text(node.left.of), node.left.field.text
        kind = self.program.of(node.left.of)
        names = "xyzw"[: width(kind)] if letters[0] in "xyzw" else "rgba"[: width(kind)]
        at = names.find(letters)
        if at < 0:
            self.program.fail(node, f".{letters} is assigned; in WGSL only neighbours in their order can be")
        changed = f"{of}.{letters} {op} ({value})" if op else value
        before, behind = names[:at], names[at + len(letters) :]
        parts = ([f"{of}.{before}"] if before else []) + [changed] + ([f"{of}.{behind}"] if behind else [])
        return f"{of} = {self.type_name(kind)}({', '.join(parts)})"

    # ---- Expressions ----

    def _name(self, node: Node) -> str:
        variable = self.program.variable.get(id(node))
        name = self.renamed(node.text)
        return f"(*{name})" if variable is not None and variable.kind == "inout" else name

    def argument(self, call: Node, node: Node) -> str:
        function = self.program.functions.get(call.callee.text)
        if function is None:
            return self.text(node)
        number = next(i for i, argument in enumerate(call.arguments) if argument is node)
        if function.node.parameters[number].qualifier != "inout":
            return self.text(node)
        name = self.renamed(node.text)
        return name if self.program.variable[id(node)].kind == "inout" else f"&{name}"

    def called(self, name: str, given: list[str]) -> str:
        return f"{_LOADED.get(name, name.lower()) if name in LOADS else self.renamed(name)}({','.join(given)})"

    def _index(self, node: Node) -> str:
        """A literal index is limited to the size of the array, since WGSL also checks code that an option turns off."""
        size = self.size(node.of)
        if size is None or node.at.kind != "literal" or node.at.text == "0":
            return super()._index(node)
        return f"{self.operand(node.of)}[min({node.at.text}, {self.text(size)} - 1)]"

    def size(self, node: Node) -> Node | None:
        """The size of an array that is a field, if the size is a name; otherwise None."""
        if node.kind != "member" or not self.program.of(node).endswith("[]"):
            return None
        sized = self.program.sized[self.program.of(node.of)]
        size: Node = next(declarator.size for declarator in sized if declarator.name.text == node.field.text)
        return size if size.kind == "name" else None

    def _ternary(self, node: Node) -> str:
        yes, no, condition = (self.text(part) for part in (node.yes, node.no, node.condition))
        gaps = [self.source[a.end : b.start] for a, b in ((node.condition, node.yes), (node.yes, node.no))]
        space = next((match[0] for match in (re.search(r"\n *", gap) for gap in gaps) if match), " ")
        return f"select({no},{space}{yes}, {condition})"

    def _paren(self, node: Node) -> str:
        return self.text(node.inner) if node.inner.kind == "ternary" else self.plain(node)

    def _list(self, node: Node) -> str:
        inner = self.filled(node.start + 1, node.items, node.end - 1)
        kind = self.type_name(self.program.of(node))
        return f"array<{kind}, {len(node.items)}>({inner})"

    def _call(self, node: Node) -> str:
        name = node.callee.text
        if name == "findMSB":  # the result of WGSL is a uint if the argument is one
            return f"i32(firstLeadingBit({','.join(self.arguments(node))}))"
        if name in BITS:
            kind = self.type_name(self.program.of(node))
            return f"bitcast<{kind}>({','.join(self.arguments(node))})"
        return super()._call(node)

    def construct(self, name: str, given: list[str], kinds: list[str], nodes: list[Node]) -> str:
        if len(given) == 1 and width(kinds[0]) > width(name) > 1:
            given = [self.text(nodes[0]) + "." + "xyzw"[: width(name)]]
        elif len(given) > 1 or width(kinds[0]) < width(name):
            given = [self.converted(text, kind, element(name), node)
                     for text, kind, node in zip(given, kinds, nodes, strict=True)]  # fmt: skip
        return f"{self.type_name(name)}({','.join(given)})"

    def converted(self, text: str, kind: str, to: str, node: Node) -> str:
        """Convert an argument of a vector to the type of its elements."""
        bare = node.inner if node.kind == "unary" and node.op == "-" else node
        if element(kind) == to or (bare.kind == "literal" and element(kind) == "int"):  # 1 may be of any type in WGSL
            return text
        space = text[: len(text) - len(text.lstrip())]
        return f"{space}{self.type_name(vector(to, width(kind)))}({text.strip()})"

    def same_size(self, given: list[str], kinds: list[str], nodes: list[Node]) -> list[str]:
        return self.splat(given, kinds, nodes)

    def shift_by(self, node: Node, left: str) -> str:
        """The right side of a shift: unsigned, and as wide as the left side."""
        kind, text = self.program.of(node), self.text(node)
        if node.kind == "literal":
            text = node.text if node.text.endswith("u") else node.text + "u"
        elif element(kind) == "int":
            text = f"u32({self.bare(node)})" if width(kind) == 1 else f"vec{width(kind)}u({self.bare(node)})"
        elif node.kind == "binary":
            text = f"({text})"
        return text if width(kind) == width(left) else f"vec{width(left)}u({text})"

    def bare(self, node: Node) -> str:
        return self.text(node.inner if node.kind == "paren" else node)

    def _binary(self, node: Node) -> str:
        left, right = self.program.of(node.left), self.program.of(node.right)
        gap = self.source[node.left.end : node.right.start]
        if node.op in _SHIFTS:
            return self.side(node, node.left, False) + gap + self.shift_by(node.right, left)
        parts = [self.side(node, node.left, False), self.side(node, node.right, True)]
        if node.op in _MASKS and width(left) != width(right):
            nodes = [node.left, node.right]
            parts = [part if width(kind) > 1 else
                     self.splat([self.text(operand), ""], [kind, max(left, right, key=width)], [operand, operand])[0]
                     for part, kind, operand in zip(parts, (left, right), nodes, strict=True)]  # fmt: skip
        return parts[0] + gap + parts[1]

    def side(self, parent: Node, node: Node, right: bool) -> str:
        """An operand, in parentheses where WGSL needs them."""
        text = self.text(node)
        if node.kind != "binary":
            return text
        op, inner = parent.op, node.op
        if op in _PRODUCTS:
            free = inner in _PRODUCTS and not right
        elif op in _SUMS:
            free = inner in _PRODUCTS or (inner in _SUMS and not right)
        elif op in _COMPARISONS:
            free = inner in _SUMS or inner in _PRODUCTS
        elif op in _MASKS:
            free = inner == op and not right
        elif op in ("&&", "||"):
            free = inner in _COMPARISONS or inner in _SUMS or inner in _PRODUCTS or (inner == op and not right)
        else:
            free = False
        return text if free else f"({text})"
