"""A parser for the part of GLSL in which shaders/gstex.glsl is written: text -> tree.

Every node knows its place in the text, so that a printer for another language can keep comments and line breaks.
docs/design-notes/0011-shader-languages.md describes this part of GLSL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

__all__ = ["Node", "ShaderError", "parse"]

_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<directive>(?<![^\n])[ \t]*#[^\n]*)"
    r"|(?P<number>0[xX][0-9a-fA-F]+u?|(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+u?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign><<=|>>=|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])",
    re.DOTALL,
)
_LEVELS = (("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="), ("<<", ">>"),
           ("+", "-"), ("*", "/", "%"))  # fmt: skip
_ASSIGNMENTS = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
_QUALIFIERS = frozenset(("const", "in", "out", "inout", "highp", "mediump", "lowp"))


class ShaderError(ValueError):
    """A text outside the part of GLSL that can be translated. The message has the line."""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Node:
    """A part of the text, from `start` up to `end`, with its own parts as attributes.

    kind and attributes: literal (text), name (text), paren (inner), member (of, field), index (of, at), call (callee,
    arguments), list (items), unary (op, inner), binary (op, left, right), ternary (condition, yes, no), type (text),
    declaration (const, type, declarators), declarator (name, size, value), assign (op, left, right), step (op, inner,
    before), evaluate (inner), empty, block (body), if (condition, yes, no), for (first, condition, next, body), while
    (condition, body), return (value), jump (text), directive (text), struct (name, fields), parameter (qualifier, type,
    name), function (type, name, parameters, body), file (body). Attributes without a part in the text are None.
    """

    def __init__(self, kind: str, start: int, end: int, **parts: Node | list[Node] | str | bool | None):
        self.kind, self.start, self.end = kind, start, end
        self.parts = parts

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["parts"][name]
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('kind')} has no {name}") from None

    def children(self) -> list[Node]:
        """The direct parts of this node, in the order of the text."""
        nodes = []
        for part in self.parts.values():
            if isinstance(part, Node):
                nodes.append(part)
            elif isinstance(part, list):
                nodes += part
        return sorted(nodes, key=lambda node: node.start)

    def walk(self) -> Iterator[Node]:
        """This node and all nodes below it."""
        yield self
        for child in self.children():
            yield from child.walk()


def parse(text: str, name: str = "gstex.glsl") -> Node:
    """Parse a text; returns the root of its tree.

    Raises:
        ShaderError: the text is outside this part of GLSL. The message is like "gstex.glsl:12: ...".
    """
    return _Parser(text, name).file()


class _Parser:
    def __init__(self, text: str, name: str):
        self.text, self.name = text, name
        self.tokens: list[_Token] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match:
                self.fail(at, f"cannot read {text[at]!r}")
            if match.lastgroup != "space":
                self.tokens.append(_Token(str(match.lastgroup), match[0], at, match.end()))
            at = match.end()
        self.tokens.append(_Token("end", "the end", at, at))
        self.at = 0
        self.structs: set[str] = set()

    def fail(self, start: int, message: str) -> NoReturn:
        line = self.text.count("\n", 0, start) + 1
        raise ShaderError(f"{self.name}:{line}: {message}")

    # ---- Tokens ----

    @property
    def here(self) -> _Token:
        return self.tokens[self.at]

    def next(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def sees(self, *texts: str) -> bool:
        return self.here.text in texts and self.here.kind in ("sign", "name")

    def take(self, text: str) -> _Token:
        if not self.sees(text):
            if self.sees("++", "--"):
                self.fail(self.here.start, f"{self.here.text} inside an expression; make it a statement of its own")
            self.fail(self.here.start, f"expected {text!r}, found {self.here.text!r}")
        return self.next()

    def word(self) -> Node:
        token = self.next()
        if token.kind != "name":
            self.fail(token.start, f"expected a name, found {token.text!r}")
        return Node("name", token.start, token.end, text=token.text)

    def is_type(self, text: str) -> bool:
        return text in self.structs or re.fullmatch(r"void|float|int|uint|bool|[iub]?vec[234]", text) is not None

    def type(self) -> Node:
        token = self.next()
        if not self.is_type(token.text):
            self.fail(token.start, f"{token.text!r} is no type that is known here")
        if self.sees("["):
            self.fail(self.here.start, "the size of an array stands behind its name here")
        return Node("type", token.start, token.end, text=token.text)

    # ---- The file ----

    def file(self) -> Node:
        body = []
        while self.here.kind != "end":
            body.append(self.top())
        return Node("file", 0, len(self.text), body=body)

    def top(self) -> Node:
        if self.here.kind == "directive":
            return self.directive()
        if self.sees("struct"):
            return self.struct()
        after = self.tokens[self.at + 2].text if self.at + 2 < len(self.tokens) else ""
        if self.is_type(self.here.text) and after == "(":
            return self.function()
        if self.sees("const") or self.is_type(self.here.text):
            return self.declaration()
        self.fail(self.here.start, f"{self.here.text!r} begins nothing that other languages have in this place")

    def directive(self) -> Node:
        token = self.next()
        return Node("directive", token.start, token.end, text=token.text.strip())

    def struct(self) -> Node:
        start = self.take("struct").start
        name = self.word()
        self.structs.add(name.text)
        self.take("{")
        fields = []
        while not self.sees("}"):
            fields.append(self.declaration())
        self.take("}")
        return Node("struct", start, self.take(";").end, name=name, fields=fields)

    def function(self) -> Node:
        kind, name = self.type(), self.word()
        self.take("(")
        parameters = []
        while not self.sees(")"):
            start, words = self.here.start, []
            while self.here.text in _QUALIFIERS:
                words.append(self.next().text)
            if len(words) > 1 or (words and words[0] not in ("inout", "in")):
                self.fail(start, f"a parameter may be inout; {' '.join(words)!r} is not in every language")
            of, parameter, qualifier = self.type(), self.word(), "".join(words)
            if self.sees("["):
                self.fail(self.here.start, "an array as parameter; put it into a struct")
            parameters.append(Node("parameter", start, parameter.end, qualifier=qualifier, type=of, name=parameter))
            if not self.sees(")"):
                self.take(",")
        self.take(")")
        if self.sees(";"):
            self.fail(self.here.start, "a function that is declared and not defined; define it before its use")
        body = self.block()
        return Node("function", kind.start, body.end, type=kind, name=name, parameters=parameters, body=body)

    # ---- Statements ----

    def declaration(self) -> Node:
        start = self.here.start
        const = self.sees("const")
        if const:
            self.next()
        kind = self.type()
        declarators = [self.declarator()]
        while self.sees(","):
            self.next()
            declarators.append(self.declarator())
        return Node("declaration", start, self.take(";").end, const=const, type=kind, declarators=declarators)

    def declarator(self) -> Node:
        name = self.word()
        end, size, value = name.end, None, None
        if self.sees("["):
            self.next()
            size = self.expression()
            end = self.take("]").end
        if self.sees("="):
            self.next()
            value = self.list() if self.sees("{") else self.expression()
            end = value.end
        return Node("declarator", name.start, end, name=name, size=size, value=value)

    def list(self) -> Node:
        """The elements of an array."""
        start, items = self.take("{").start, []
        while not self.sees("}"):
            items.append(self.expression())
            if not self.sees("}"):
                self.take(",")
        return Node("list", start, self.take("}").end, items=items)

    def block(self) -> Node:
        start = self.take("{").start
        body = []
        while not self.sees("}"):
            if self.here.kind == "end":
                self.fail(start, "a block is not closed")
            body.append(self.statement())
        return Node("block", start, self.take("}").end, body=body)

    def statement(self) -> Node:
        token = self.here
        if token.kind == "directive":
            return self.directive()
        if self.sees("{"):
            return self.block()
        if self.sees("if"):
            return self.branch()
        if self.sees("for"):
            return self.loop()
        if self.sees("while"):
            self.next()
            self.take("(")
            condition = self.expression()
            self.take(")")
            body = self.statement()
            return Node("while", token.start, body.end, condition=condition, body=body)
        if self.sees("return"):
            self.next()
            value = None if self.sees(";") else self.expression()
            return Node("return", token.start, self.take(";").end, value=value)
        if self.sees("break", "continue"):
            self.next()
            return Node("jump", token.start, self.take(";").end, text=token.text)
        if self.sees("do", "switch", "discard"):
            self.fail(token.start, f"{token.text!r} is not in the part of GLSL that is written in other languages")
        if self.sees("const") or (self.is_type(token.text) and self.tokens[self.at + 1].kind == "name"):
            return self.declaration()
        inner = self.action()
        inner.end = self.take(";").end
        return inner

    def branch(self) -> Node:
        start = self.take("if").start
        self.take("(")
        condition = self.expression()
        self.take(")")
        yes, no = self.statement(), None
        if self.sees("else"):
            self.next()
            no = self.statement()
        return Node("if", start, (no or yes).end, condition=condition, yes=yes, no=no)

    def loop(self) -> Node:
        start = self.take("for").start
        self.take("(")
        first = condition = None
        if self.sees(";"):
            self.next()
        else:
            first = self.statement()
            if first.kind == "declaration" and len(first.declarators) > 1:
                self.fail(first.start, "a loop declares one variable; declare the others before it")
        if not self.sees(";"):
            condition = self.expression()
        self.take(";")
        after = None if self.sees(")") else self.action()
        if self.sees(","):
            self.fail(self.here.start, "a loop has one step; put the others at the end of its body")
        self.take(")")
        body = self.statement()
        return Node("for", start, body.end, first=first, condition=condition, next=after, body=body)

    def action(self) -> Node:
        """An assignment, a step or a call; the statement without its semicolon."""
        token = self.here
        if self.sees("++", "--"):
            self.next()
            inner = self.postfix()
            return Node("step", token.start, inner.end, op=token.text, inner=inner, before=True)
        left = self.expression()
        if self.sees("++", "--"):
            op = self.next()
            return Node("step", left.start, op.end, op=op.text, inner=left, before=False)
        if self.here.text in _ASSIGNMENTS:
            op = self.next()
            right = self.expression()
            if self.here.text in _ASSIGNMENTS:
                self.fail(self.here.start, "one assignment a statement")
            return Node("assign", left.start, right.end, op=op.text, left=left, right=right)
        if left.kind != "call":
            self.fail(token.start, "a statement that does nothing")
        return Node("evaluate", left.start, left.end, inner=left)

    # ---- Expressions ----

    def expression(self) -> Node:
        condition = self.binary(0)
        if not self.sees("?"):
            return condition
        self.next()
        yes = self.expression()
        self.take(":")
        no = self.expression()
        return Node("ternary", condition.start, no.end, condition=condition, yes=yes, no=no)

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.sees(*_LEVELS[level]):
            op = self.next().text
            right = self.binary(level + 1)
            left = Node("binary", left.start, right.end, op=op, left=left, right=right)
        return left

    def unary(self) -> Node:
        token = self.here
        if self.sees("++", "--"):
            self.fail(token.start, f"{token.text} inside an expression; make it a statement of its own")
        if self.sees("-", "~", "!", "+"):
            self.next()
            inner = self.unary()
            return Node("unary", token.start, inner.end, op=token.text, inner=inner)
        return self.postfix()

    def postfix(self) -> Node:
        node = self.primary()
        while True:
            if self.sees("."):
                self.next()
                field = self.word()
                node = Node("member", node.start, field.end, of=node, field=field)
            elif self.sees("["):
                self.next()
                at = self.expression()
                node = Node("index", node.start, self.take("]").end, of=node, at=at)
            else:
                return node

    def primary(self) -> Node:
        token = self.next()
        if token.kind == "number" or (token.kind == "name" and token.text in ("true", "false")):
            return Node("literal", token.start, token.end, text=token.text)
        if token.text == "(":
            inner = self.expression()
            return Node("paren", token.start, self.take(")").end, inner=inner)
        if token.kind != "name":
            self.fail(token.start, f"expected an expression, found {token.text!r}")
        name = Node("type" if self.is_type(token.text) else "name", token.start, token.end, text=token.text)
        if self.sees("["):
            if name.kind == "type":
                self.fail(token.start, "an array made of its elements; assign them one by one")
            return name
        if not self.sees("("):
            if name.kind == "type":
                self.fail(token.start, f"{token.text!r} is a type")
            return name
        self.next()
        arguments = []
        while not self.sees(")"):
            arguments.append(self.expression())
            if not self.sees(")"):
                self.take(",")
        return Node("call", token.start, self.take(")").end, callee=name, arguments=arguments)
