"""The form of a CEL expression as a tree, for checks before it is ever run.

CEL itself runs the expressions; its library gives no tree. This reads the part of CEL that a
policy may use, so that kinds, names and thresholds can be checked with their columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LENGTH = 600
MAX_NESTING = 24
MAX_DIGITS = 15
MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<decimal>\d+\.\d*|\.\d+)
      | (?P<number>\d+)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])
    )""",
    re.VERBOSE,
)
# Loosest first; operators of one row bind alike and from the left.
_LEVELS = (
    ("||",),
    ("&&",),
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
    ("*", "/", "%"),
)


class BadExpression(ValueError):
    """An expression was refused when its policy was loaded; the text is for its author."""


@dataclass(frozen=True)
class Node:
    """One part of an expression; ``start`` and ``end`` cut it out of the text.

    ``form`` is number, text, boolean, name, member, call, method, macro, list, not, negate,
    binary or choice; ``word`` is its literal, name or operator. A macro's parts are the list it
    walks, its variable and its body; a method's first part is what it is called on.
    """

    form: str
    word: str
    parts: tuple[Node, ...]
    start: int
    end: int

    def walk(self) -> Iterator[Node]:
        """The node and everything in it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def column(self) -> int:
        """Where it begins, counted from one."""
        return self.start + 1


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"表达式超过 {MAX_LENGTH} 个字符")
    found, at, depth, end = [], 0, 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise BadExpression(f"表达式第 {at + 1} 列写法有误：不认识“{text[at]}”")
        kind = match.lastgroup or ""
        word, start = match.group(kind), match.start(kind)
        if kind == "decimal":
            raise BadExpression(
                f"第 {start + 1} 列：表达式里不写小数；比例请写成参数，用 share(金额, p.参数) 相乘"
            )
        if kind == "number" and len(word) > MAX_DIGITS:
            raise BadExpression(f"第 {start + 1} 列：数字超过 {MAX_DIGITS} 位")
        depth += (word in "([") - (word in ")]") if kind == "sign" else 0
        if depth > MAX_NESTING:
            raise BadExpression(f"括号嵌套超过 {MAX_NESTING} 层")
        found.append(_Token(kind, word, start, match.end()))
        at = match.end()
    return found


class _Reader:
    """Reads tokens from left to right, the loosest operator first."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self) -> str:
        """The next operator, sign or name; empty at the end or before a literal."""
        if self.at >= len(self.tokens):
            return ""
        token = self.tokens[self.at]
        return token.text if token.kind in ("sign", "name") else ""

    def bad(self, wanted: str) -> BadExpression:
        """What is wrong at this place."""
        if self.at >= len(self.tokens):
            return BadExpression(f"表达式第 {len(self.text) + 1} 列写法有误：没有写完，{wanted}")
        token = self.tokens[self.at]
        return BadExpression(
            f"表达式第 {token.start + 1} 列写法有误：“{token.text[:20]}”这里{wanted}"
        )

    def take(self, sign: str) -> _Token:
        """The next token, which must be this sign."""
        if self.peek() != sign:
            raise self.bad(f"应是 {sign}")
        self.at += 1
        return self.tokens[self.at - 1]

    def end(self) -> int:
        """Where the last token ended."""
        return self.tokens[self.at - 1].end

    def whole(self) -> Node:
        """An expression with its optional choice."""
        condition = self.level(0)
        if self.peek() != "?":
            return condition
        self.take("?")
        then = self.level(0)
        self.take(":")
        otherwise = self.whole()
        return Node("choice", "?:", (condition, then, otherwise), condition.start, self.end())

    def level(self, depth: int) -> Node:
        """Operators of one level of binding, from the left."""
        if depth == len(_LEVELS):
            return self.unary()
        left = self.level(depth + 1)
        while self.peek() in _LEVELS[depth]:
            operator = self.tokens[self.at].text
            self.at += 1
            right = self.level(depth + 1)
            left = Node("binary", operator, (left, right), left.start, self.end())
        return left

    def unary(self) -> Node:
        """A value with its signs; like signs may follow each other."""
        signs = []
        while self.peek() in ("!", "-"):
            signs.append(self.tokens[self.at])
            self.at += 1
        node = self.member()
        for sign in reversed(signs):
            form = "not" if sign.text == "!" else "negate"
            node = Node(form, sign.text, (node,), sign.start, node.end)
        return node

    def member(self) -> Node:
        """A value and the fields, methods and macros after it."""
        node = self.primary()
        while self.peek() in (".", "["):
            if self.peek() == "[":
                raise BadExpression(
                    "不用下标取值；请用 nth、first_n、earliest、latest、each 等函数"
                )
            self.take(".")
            name = self.name()
            if self.peek() != "(":
                node = Node("member", name, (node,), node.start, self.end())
                continue
            arguments = self.arguments("(", ")")
            form = "macro" if name in MACROS else "method"
            wanted = 2
            if form == "macro" and (len(arguments) != wanted or arguments[0].form != "name"):
                raise BadExpression(f"{name} 写成 列表.{name}(c, 条件)")
            node = Node(form, name, (node, *arguments), node.start, self.end())
        return node

    def name(self) -> str:
        """The next token, which must be a name."""
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != "name":
            raise self.bad("应是一个名字")
        self.at += 1
        return self.tokens[self.at - 1].text

    def arguments(self, opening: str, closing: str) -> tuple[Node, ...]:
        """Expressions between brackets, with commas."""
        self.take(opening)
        found: list[Node] = []
        while self.peek() != closing:
            if found:
                self.take(",")
            found.append(self.whole())
        self.take(closing)
        return tuple(found)

    def primary(self) -> Node:
        """A literal, a name, a function call, a list, or something in brackets."""
        if self.at >= len(self.tokens):
            raise self.bad("还缺一个值")
        token = self.tokens[self.at]
        if token.text == "(":
            self.take("(")
            inner = self.whole()
            self.take(")")
            return Node(inner.form, inner.word, inner.parts, token.start, self.end())
        if token.text == "[":
            items = self.arguments("[", "]")
            return Node("list", "[]", items, token.start, self.end())
        if token.kind == "sign":
            raise self.bad("应是一个值")
        self.at += 1
        if token.kind != "name":
            return Node(token.kind, token.text, (), token.start, token.end)
        if token.text in ("true", "false"):
            return Node("boolean", token.text, (), token.start, token.end)
        if token.text in ("null", "in"):
            raise BadExpression("不写 null；有没有一个事实用 has(…) 来问")
        if self.peek() == "(":
            arguments = self.arguments("(", ")")
            return Node("call", token.text, arguments, token.start, self.end())
        return Node("name", token.text, (), token.start, token.end)


def tree(text: str) -> Node:
    """The tree of an expression; raises BadExpression with the column and a reason."""
    reader = _Reader(text)
    node = reader.whole()
    if reader.at < len(reader.tokens):
        raise reader.bad("多出来了")
    return node
