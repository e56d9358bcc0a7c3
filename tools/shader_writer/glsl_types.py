"""Types and names of a tree: `annotate` gives every expression its type, and every name its variable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from shader_writer.glsl_syntax import Node, ShaderError

__all__ = ["BITS", "LOADS", "RELATIONS", "Function", "Program", "Variable", "annotate", "element", "is_vector",
           "vector", "width"]  # fmt: skip

# Macros that load: types of their arguments, and the type of the result.
LOADS = {"GSTEX_LOAD": (("int",), "uint"), "GSTEX_LOAD4": (("uint",), "uvec4"), "GSTEX_TEXEL": (("int", "int"), "uint")}
ANY = "any type"  # the type of a macro that the user of the shader defines
RELATIONS = {"lessThan": "<", "lessThanEqual": "<=", "greaterThan": ">", "greaterThanEqual": ">=", "equal": "==",
             "notEqual": "!="}  # fmt: skip
_LIKE_ARGUMENT = frozenset((
    "abs", "sign", "floor", "ceil", "trunc", "fract", "sqrt", "inversesqrt", "exp", "exp2", "log", "log2", "sin", "cos",
    "normalize", "pow", "max", "min", "clamp", "mix", "step", "smoothstep", "cross", "not",
))  # fmt: skip
BITS = {"uintBitsToFloat": "float", "intBitsToFloat": "float", "floatBitsToUint": "uint", "floatBitsToInt": "int"}
_FIXED = {"length": "float", "distance": "float", "dot": "float", "any": "bool", "all": "bool",
          "unpackUnorm2x16": "vec2", "unpackSnorm2x16": "vec2", "findMSB": "int"}  # fmt: skip
_LETTERS = {"float": "", "int": "i", "uint": "u", "bool": "b"}
_SWIZZLES = ("xyzw", "rgba")


@dataclass
class Variable:
    """kind: local, parameter, inout, global (may be assigned), constant or option."""

    name: str
    type: str
    kind: str
    assigned: bool = False


@dataclass
class Function:
    node: Node
    globals: set[str] = field(default_factory=set)  # variables that it or a function it calls may use
    loads: bool = False  # whether it or a function it calls reads words
    calls: set[str] = field(default_factory=set)


@dataclass
class Program:
    """A tree with its types. The keys of `variable` and `type` are ids of nodes.

    variable: of each node that names a variable. type: of each node that is an expression, such as "vec4[]" for an
    array.
    """

    tree: Node
    text: str
    name: str
    structs: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    sized: dict[str, list[Node]] = field(default_factory=dict)  # fields of a struct that are arrays
    functions: dict[str, Function] = field(default_factory=dict)
    globals: dict[str, Variable] = field(default_factory=dict)
    variable: dict[int, Variable] = field(default_factory=dict)
    type: dict[int, str] = field(default_factory=dict)
    built: set[str] = field(default_factory=set)  # structs that are constructed from all their fields at once
    buffers: dict[str, str] = field(default_factory=lambda: {name: of for name, (_, of) in LOADS.items()})  # that load
    macros: set[str] = field(default_factory=set)  # names that the user of the shader may define

    def fail(self, node: Node, message: str) -> NoReturn:
        line = self.text.count("\n", 0, node.start) + 1
        raise ShaderError(f"{self.name}:{line}: {message}")

    def source(self, node: Node) -> str:
        return self.text[node.start : node.end]

    def of(self, node: Node) -> str:
        return self.type[id(node)]


def is_vector(kind: str) -> bool:
    return re.fullmatch(r"[iub]?vec[234]", kind) is not None


def width(kind: str) -> int:
    """The number of components of a vector; 1 of a scalar."""
    return int(kind[-1]) if is_vector(kind) else 1


def element(kind: str) -> str:
    """The type of the components of a vector; a scalar type is returned itself."""
    if not is_vector(kind):
        return kind
    return next(name for name, letter in _LETTERS.items() if kind.startswith(letter + "vec"))


def _signature(node: Node) -> list[str]:
    return [node.type.text, *(f"{parameter.qualifier} {parameter.type.text}" for parameter in node.parameters)]


def vector(of: str, count: int) -> str:
    """The vector type with `count` components of a type; the type itself if `count` is 1."""
    return of if count == 1 else f"{_LETTERS[of]}vec{count}"


def annotate(
    tree: Node, text: str, name: str, options: dict[str, str], buffers: Mapping[str, str] | None = None
) -> Program:
    """Find the types and variables of a tree.

    Args:
        options: names that are defined outside, and their types, "int" or "uint".
        buffers: macros besides LOADS that return an element by its number, and the types of the elements.

    A name under #ifdef may be a macro that the user of the shader defines: `Type name = MACRO(..);` gives its type.
    Both sides of an #if and its #else may declare the same name.

    Raises:
        ShaderError: a name, a function or a use of it is not known in every language.
    """
    program = Program(tree, text, name)
    program.buffers |= buffers or {}
    directives = [node.text for node in tree.walk() if node.kind == "directive"]
    program.macros = {macro for line in directives for macro in re.findall(r"(?:ifn?def|defined\(?) *(\w+)", line)}
    program.globals = {key: Variable(key, kind, "option") for key, kind in options.items()}
    _Annotator(program).file()
    for _ in program.functions:  # at most one pass for each link of the longest chain of calls
        for function in program.functions.values():
            for called in function.calls:
                function.globals |= program.functions[called].globals
                function.loads |= program.functions[called].loads
    return program


class _Annotator:
    def __init__(self, program: Program):
        self.program = program
        self.scopes: list[dict[str, Variable]] = [program.globals]
        self.function: Function | None = None
        self.otherwise = False  # whether an #else or #elif came before, in this function or outside of all functions

    def file(self) -> None:
        for node in self.program.tree.body:
            if node.kind == "struct":
                self.struct(node)
            elif node.kind == "declaration":
                self.declaration(node)
            elif node.kind == "function":
                self.define(node)
            else:
                self.directive(node)

    def directive(self, node: Node) -> None:
        self.otherwise = self.otherwise or node.text.startswith(("#else", "#elif"))

    def struct(self, node: Node) -> None:
        fields, sized = [], []
        for declaration in node.fields:
            for declarator in declaration.declarators:
                if declarator.size is not None:
                    self.expression(declarator.size)
                    sized.append(declarator)
                fields.append((
                    declarator.name.text, declaration.type.text + ("[]" if declarator.size is not None else "")
                ))
        self.program.structs[node.name.text] = fields
        self.program.sized[node.name.text] = sized

    def define(self, node: Node) -> None:
        before = self.program.functions.get(node.name.text)
        if before is not None and not (self.otherwise and _signature(before.node) == _signature(node)):
            self.program.fail(node, f"{node.name.text} is there already; WGSL has one function of a name")
        self.function = self.program.functions[node.name.text] = before or Function(node)
        outside, self.otherwise = self.otherwise, False
        self.scopes.append({})
        for parameter in node.parameters:
            self.declare(
                parameter.name, parameter.type.text, "inout" if parameter.qualifier == "inout" else "parameter"
            )
        for inner in node.body.body:
            self.statement(inner)
        self.scopes.pop()
        self.function, self.otherwise = None, outside

    def declare(self, name: Node, kind: str, how: str) -> None:
        before = self.scopes[-1].get(name.text)
        if before is not None and not (self.otherwise and (before.type, before.kind) == (kind, how)):
            self.program.fail(name, f"{name.text} is declared already")
        if before is not None:
            self.program.variable[id(name)] = before
            return
        variable = Variable(name.text, kind, how)
        self.scopes[-1][name.text] = self.program.variable[id(name)] = variable

    def declaration(self, node: Node) -> None:
        for declarator in node.declarators:
            kind = node.type.text
            if declarator.size is not None:
                self.expression(declarator.size)
                kind += "[]"
            if declarator.value is not None and self.expression(declarator.value) not in (kind, ANY):
                self.program.fail(
                    declarator, f"{declarator.name.text} is {kind} and gets {self.program.of(declarator.value)}"
                )
            how = "local" if self.function else "global"
            self.declare(declarator.name, kind, "constant" if node.const else how)

    # ---- Statements ----

    def statement(self, node: Node) -> None:
        if node.kind == "declaration":
            self.declaration(node)
        elif node.kind == "directive":
            self.directive(node)
        elif node.kind == "jump":
            pass
        elif node.kind == "block":
            self.scopes.append({})
            for inner in node.body:
                self.statement(inner)
            self.scopes.pop()
        elif node.kind == "for":
            self.scopes.append({})
            for part in (node.first, node.next):
                if part is not None:
                    self.statement(part)
            if node.condition is not None:
                self.condition(node.condition)
            self.within(node.body)
            self.scopes.pop()
        elif node.kind in ("if", "while"):
            self.condition(node.condition)
            for part in (node.body,) if node.kind == "while" else (node.yes, node.no):
                if part is not None:
                    self.within(part)
        elif node.kind == "return":
            assert self.function is not None
            declared = self.function.node.type.text
            returned = "void" if node.value is None else self.expression(node.value)
            if returned != declared:
                self.program.fail(node, f"returns {returned} from a function that is {declared}")
        elif node.kind == "assign":
            self.assign(node)
        elif node.kind == "step":
            self.expression(node.inner)
            self.change(node.inner)
        else:
            self.expression(node.inner)

    def condition(self, node: Node) -> None:
        if self.expression(node) != "bool":
            self.program.fail(node, f"a condition is bool, not {self.program.of(node)}")

    def within(self, node: Node) -> None:
        self.scopes.append({})
        self.statement(node)
        self.scopes.pop()

    def assign(self, node: Node) -> None:
        left, right = self.expression(node.left), self.expression(node.right)
        if node.op == "=" and left != right:
            self.program.fail(node, f"{self.program.source(node.left)} is {left} and gets {right}")
        if node.op not in ("=", "<<=", ">>="):
            self.arithmetic(node, node.op[:-1], left, right)
        self.change(node.left)

    def change(self, node: Node) -> None:
        """Note that a variable or a part of it is assigned."""
        while node.kind in ("member", "index", "paren"):
            node = node.inner if node.kind == "paren" else node.of
        if node.kind != "name":
            self.program.fail(node, "cannot be assigned")
        variable = self.program.variable[id(node)]
        if variable.kind in ("constant", "option"):
            self.program.fail(node, f"{node.text} is constant")
        variable.assigned = True

    # ---- Expressions ----

    def expression(self, node: Node) -> str:
        kind = getattr(self, "_" + node.kind)(node)
        self.program.type[id(node)] = kind
        return kind

    def _literal(self, node: Node) -> str:
        if node.text in ("true", "false"):
            return "bool"
        if node.text.endswith("u"):
            return "uint"
        return "int" if re.fullmatch(r"0[xX].*|\d+", node.text) else "float"

    def _name(self, node: Node) -> str:
        for scope in reversed(self.scopes):
            if node.text in scope:
                variable = self.program.variable[id(node)] = scope[node.text]
                if variable.kind == "global" and self.function:
                    self.function.globals.add(node.text)
                return variable.type
        self.program.fail(node, f"{node.text} is not declared before")

    def _paren(self, node: Node) -> str:
        return self.expression(node.inner)

    def _list(self, node: Node) -> str:
        kinds = {self.expression(item) for item in node.items}
        if len(kinds) != 1:
            self.program.fail(node, "elements of several types")
        return f"{kinds.pop()}[]"

    def _member(self, node: Node) -> str:
        of, name = self.expression(node.of), node.field.text
        if of in self.program.structs:
            for key, kind in self.program.structs[of]:
                if key == name:
                    return kind
        elif is_vector(of):
            letters = next((s[: width(of)] for s in _SWIZZLES if set(name) <= set(s[: width(of)])), "")
            if letters and len(name) <= 4:
                return vector(element(of), len(name))
        self.program.fail(node, f"{of} has no {name}")

    def _index(self, node: Node) -> str:
        of = self.expression(node.of)
        if self.expression(node.at) not in ("int", "uint"):
            self.program.fail(node.at, "is no whole number")
        if of.endswith("[]"):
            return of[:-2]
        if not is_vector(of):
            self.program.fail(node, f"{of} has no elements")
        return element(of)

    def _unary(self, node: Node) -> str:
        return self.expression(node.inner)

    def _binary(self, node: Node) -> str:
        left, right = self.expression(node.left), self.expression(node.right)
        if node.op in ("&&", "||", "^^"):
            return "bool"
        if node.op in ("<<", ">>"):
            if element(left) not in ("int", "uint") or element(right) not in ("int", "uint"):
                self.program.fail(node, f"{left} {node.op} {right}")
            return left
        kind = self.arithmetic(node, node.op, left, right)
        if node.op in ("<", ">", "<=", ">=", "==", "!="):
            if is_vector(kind):
                self.program.fail(node, f"{node.op} of vectors; use {', '.join(RELATIONS)}")
            return "bool"
        return kind

    def arithmetic(self, node: Node, op: str, left: str, right: str) -> str:
        vectors = {kind for kind in (left, right) if is_vector(kind)}
        if element(left) != element(right) or len(vectors) > 1 or left.endswith("[]") or left in self.program.structs:
            self.program.fail(node, f"{left} {op} {right} is not in every language; convert one of them")
        return vectors.pop() if vectors else left

    def _ternary(self, node: Node) -> str:
        condition, yes, no = (self.expression(part) for part in (node.condition, node.yes, node.no))
        if condition != "bool" or yes != no:
            self.program.fail(node, f"{condition} ? {yes} : {no} is not in every language")
        if yes.endswith("[]") or yes in self.program.structs:
            self.program.fail(node, f"a choice between two {yes}; use if")
        return yes

    def _call(self, node: Node) -> str:
        name = node.callee.text
        given = [self.expression(argument) for argument in node.arguments]
        if node.callee.kind == "type":
            return self.construct(node, name, given)
        if name in self.program.buffers:
            expected, _ = LOADS.get(name, (("int",), ""))
            if given != list(expected):
                self.program.fail(node, f"{name} takes {', '.join(expected)}")
            if self.function:
                self.function.loads = True
            return self.program.buffers[name]
        if name in self.program.functions:
            return self.called(node, name, given)
        if name in self.program.macros:
            return ANY
        if not given:
            self.program.fail(node, f"{name} is not known")
        largest = max(given, key=width)
        if name in RELATIONS:
            if given[0] != given[-1] or len(given) != 2 or not is_vector(given[0]):
                self.program.fail(node, f"{name} of {', '.join(given)}")
            return vector("bool", width(given[0]))
        if name in _LIKE_ARGUMENT:
            choice = name == "mix" and is_vector(given[-1]) and element(given[-1]) == "bool"
            if len({element(kind) for kind in (given[:-1] if choice else given)}) > 1:
                self.program.fail(node, f"{name} of {', '.join(given)} is not in every language; convert some of them")
            return given[0] if choice else largest
        if name in BITS:
            return vector(BITS[name], width(given[0]))
        if name in _FIXED:
            return _FIXED[name]
        self.program.fail(node, f"{name} is not defined before, and not among the functions that all languages have")

    def called(self, node: Node, name: str, given: list[str]) -> str:
        function = self.program.functions[name].node
        expected = [parameter.type.text for parameter in function.parameters]
        if given != expected:
            self.program.fail(node, f"{name} takes {', '.join(expected)}, and gets {', '.join(given)}")
        for parameter, argument in zip(function.parameters, node.arguments, strict=True):
            if parameter.qualifier == "inout":
                if argument.kind != "name":
                    self.program.fail(
                        argument, f"{parameter.name.text} of {name} is inout: WGSL takes whole variables only"
                    )
                self.change(argument)
        if self.function:
            if self.function.node.name.text == name:
                self.program.fail(node, "a function calls itself, which shaders cannot")
            self.function.calls.add(name)
        return str(function.type.text)

    def construct(self, node: Node, name: str, given: list[str]) -> str:
        if name in self.program.structs:
            expected = [kind for _, kind in self.program.structs[name]]
            if any(kind.endswith("[]") for kind in expected):
                self.program.fail(node, f"{name} has an array; assign its fields one by one")
            if given != expected:
                self.program.fail(node, f"{name} takes {', '.join(expected)}, and gets {', '.join(given)}")
            self.program.built.add(name)
            return name
        bad: list[str] = [
            kind for kind in given if kind.endswith("[]") or kind in self.program.structs or kind == "void"
        ]
        if name == "void" or bad:
            self.program.fail(node, f"{name} of {', '.join(given)}")
        count, need = sum(width(kind) for kind in given), width(name)
        if count != need and not (len(given) == 1 and (count == 1 or count > need > 1)):
            self.program.fail(node, f"{name} of {count} numbers ({', '.join(given)})")
        return name
