"""What kind of value each part of an expression has, and which facts and parameters it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from catalogue.policies.facts import Field, Group, Words
from catalogue.policies.functions import FUNCTIONS, Function
from catalogue.policies.syntax import BadExpression, Node

MAX_MACROS = 6
MAX_WALKS = 2

KIND_WORDS = {
    "money": "金额",
    "date": "日期",
    "days": "天数",
    "count": "个数",
    "rate": "比例",
    "boolean": "是否",
    "text": "文字",
    "number": "数字",
    "zero": "数字",
    "object": "一组字段",
    "classes": "分类表",
    "steps": "分档表",
}
# Kinds that whole numbers may be compared with, added to and counted as.
WHOLE = frozenset({"count", "days", "number", "zero"})
METHODS = frozenset({"startsWith", "endsWith", "contains"})


@dataclass(frozen=True)
class Kind:
    """The kind of a value; ``many`` is a list of them.

    An object has ``fields`` and stands under ``root``. A table of classes or steps gives values
    of kind ``of``; steps begin at values of kind ``by``.
    """

    name: str
    many: bool = False
    fields: Mapping[str, Field] = field(default_factory=dict, compare=False)
    root: str = ""
    of: str = ""
    by: str = ""

    def __str__(self) -> str:
        words = KIND_WORDS.get(self.name, self.name)
        return f"{words}的列表" if self.many else words

    @property
    def one(self) -> Kind:
        """The kind of one item."""
        return replace(self, many=False)

    @property
    def shown_as(self) -> str:
        """How a sentence writes it when nothing else is said."""
        if self.name == "text" and self.many:
            return "words"
        if self.name == "steps":
            return f"steps:{self.by}:{self.of}"
        if self.name == "classes":
            return f"classes:{self.of}"
        return "plain" if self.name in ("number", "zero", "object") else self.name


BOOLEAN, COUNT, DAYS, DATE = Kind("boolean"), Kind("count"), Kind("days"), Kind("date")
MONEY, TEXT, WORDS = Kind("money"), Kind("text"), Kind("text", many=True)


def of_field(found: Field, path: str) -> Kind:
    """The kind of a fact."""
    if found.kind == "list":
        return WORDS
    if found.kind == "objects":
        return Kind("object", many=True, fields=found.fields, root=path)
    return Kind(found.kind)


@dataclass(frozen=True)
class Names:
    """The names that expressions of one policy may use, each with its kind.

    ``lines`` are the worksheet steps that have a value by now, ``later`` those that come after.
    """

    schema: Mapping[str, Group | Words]
    parameters: Mapping[str, Kind]
    lines: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()

    def with_line(self, name: str) -> Names:
        """The same names and one more worksheet line."""
        return replace(self, lines=self.lines | {name}, later=self.later - {name})

    def knows(self, name: str) -> bool:
        """Whether a name is taken, so that a macro's variable may not hide it."""
        taken = name in self.schema or name in self.lines or name in self.later
        return taken or name in ("p", "today", "required_materials")


@dataclass
class Reading:
    """What the walk over one expression found: dotted paths in their order, and parameters.

    ``walks`` is how many lists are gone through one within the other.
    """

    paths: dict[str, None] = field(default_factory=dict)
    parameters: dict[str, None] = field(default_factory=dict)
    macros: int = 0
    walks: int = 0

    def facts(self, names: Names) -> tuple[str, ...]:
        """The paths of facts; worksheet lines, today and the policy's own lists are none."""
        return tuple(p for p in self.paths if re.split(r"[.\[]", p)[0] in names.schema)


class _Walk:
    """One walk over a tree; raises BadExpression with the column of what does not fit."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.found = Reading()

    def kind(self, node: Node, scope: Mapping[str, Kind], depth: int = 0) -> Kind:
        """The kind of ``node``; ``scope`` are the variables of the macros around it."""
        return getattr(self, f"_{node.form}")(node, scope, depth)

    # ---- names and literals

    def _number(self, node: Node, *_: object) -> Kind:
        return Kind("number" if int(node.word) else "zero")

    def _text(self, *_: object) -> Kind:
        return TEXT

    def _boolean(self, *_: object) -> Kind:
        return BOOLEAN

    def _list(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        kinds = [self.kind(part, scope, depth) for part in node.parts]
        if not kinds:
            raise bad(node, "空列表没有意义")
        kind = kinds[0]
        for part, other in zip(node.parts[1:], kinds[1:], strict=True):
            kind = self.same(part, kind, other)
        return replace(kind, many=True)

    def _name(self, node: Node, scope: Mapping[str, Kind], _: int) -> Kind:
        name, names = node.word, self.names
        if name in scope:
            return scope[name]
        if name in names.lines:
            kind = MONEY
        elif name == "today":
            kind = DATE
        elif name == "required_materials":
            kind = WORDS
        else:
            return self._root(node, name)
        self.found.paths[name] = None
        return kind

    def _root(self, node: Node, name: str) -> Kind:
        if name in self.names.later:
            raise bad(
                node, f"测算步骤 {name} 写在后面（或就是它自己），这里还没有值；请把它挪到前面"
            )
        group = self.names.schema.get(name)
        if group is None:
            raise bad(node, f"没有事实 {name}")
        if isinstance(group, Words):
            self.found.paths[name] = None
            return WORDS
        if group.many:
            self.found.paths[name] = None
        return Kind("object", many=group.many, fields=group.fields, root=name)

    def _member(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        base = node.parts[0]
        if base.form == "name" and base.word == "p" and "p" not in scope:
            if node.word not in self.names.parameters:
                raise bad(node, f"没有参数 p.{node.word}")
            self.found.parameters[node.word] = None
            return self.names.parameters[node.word]
        kind = self.kind(base, scope, depth)
        if kind.many:
            raise bad(node, f"{kind.root or '这个列表'} 是列表，要用 all、exists、total 等逐项看")
        if kind.name != "object":
            raise bad(node, f"{kind}没有 {node.word} 这个字段")
        return self.read(node, kind, node.word)

    def read(self, node: Node, kind: Kind, name: str) -> Kind:
        """Note that a field of an object is read, and give its kind."""
        if name not in kind.fields:
            raise bad(node, f"没有事实 {kind.root}.{name}")
        path = f"{kind.root}.{name}"
        self.found.paths[path] = None
        return of_field(kind.fields[name], path)

    # ---- operators

    def same(self, node: Node, left: Kind, right: Kind) -> Kind:
        """The kind that two values share; raises BadExpression when they have none."""
        if left.many != right.many:
            raise bad(node, f"{left}和{right}不能放在一起")
        names = {left.name, right.name}
        if names & {"object", "classes", "steps"}:
            raise bad(node, f"{left}和{right}不能直接比较或计算")
        if len(names) == 1:
            return left
        if "zero" in names and (names & {"money"} or names <= WHOLE):
            return right if left.name == "zero" else left
        if names <= WHOLE:
            return left if left.name != "number" else right
        if names == {"money", "number"}:
            raise bad(node, "金额不和写死的数放在一起；请把它写成参数（unit: 元）")
        raise bad(node, f"{left}和{right}不能放在一起比较或计算")

    def _not(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        return self.must(node.parts[0], BOOLEAN, scope, depth)

    def _negate(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        kind = self.kind(node.parts[0], scope, depth)
        if kind.many or kind.name not in WHOLE | {"money"}:
            raise bad(node, f"{kind}前面不能写负号")
        return kind

    def must(self, node: Node, wanted: Kind, scope: Mapping[str, Kind], depth: int) -> Kind:
        """The kind of ``node``, which must be the wanted one."""
        kind = self.kind(node, scope, depth)
        if (kind.name, kind.many) != (wanted.name, wanted.many):
            raise bad(node, f"这里应是{wanted}，写的是{kind}")
        return kind

    def _binary(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        left_node, right_node = node.parts
        if node.word in ("&&", "||"):
            self.must(left_node, BOOLEAN, scope, depth)
            return self.must(right_node, BOOLEAN, scope, depth)
        left, right = (self.kind(part, scope, depth) for part in node.parts)
        if node.word == "in":
            if not right.many:
                raise bad(right_node, f"in 的右边应是列表，写的是{right}")
            self.same(node, left, right.one)
            return BOOLEAN
        if node.word in ("+", "-", "*", "/", "%"):
            return self._computed(node, left, right)
        kind = self.same(node, left, right)
        if node.word not in ("==", "!=") and (
            kind.many or kind.name not in WHOLE | {"money", "date"}
        ):
            raise bad(node, f"{kind}不分大小，不能用 {node.word}")
        return BOOLEAN

    def _computed(self, node: Node, left: Kind, right: Kind) -> Kind:
        pair = (left.name, right.name)
        if left.many or right.many:
            raise bad(node, "列表不能直接计算；请用 total、count 等")
        if "rate" in pair:
            raise bad(node, "比例不能直接计算；请用 share、at_least 或 at_most")
        if node.word in ("+", "-"):
            return self._sum(node, left, right)
        if node.word == "*" and "money" in pair and set(pair) <= WHOLE | {"money"}:
            if pair == ("money", "money"):
                raise bad(node, "金额不能乘金额")
            return MONEY
        if node.word == "/" and "money" in pair:
            raise bad(node, "金额相除会丢掉零头；请用 per、share 或 at_least")
        if set(pair) <= WHOLE:
            return self.same(node, left, right)
        raise bad(node, f"{left}和{right}不能用 {node.word}")

    def _sum(self, node: Node, left: Kind, right: Kind) -> Kind:
        if left.name == "date" and right.name == "date":
            if node.word == "+":
                raise bad(node, "日期不能相加")
            return DAYS
        if left.name == "date" and right.name in WHOLE:
            return DATE
        if left.name == right.name == "text" and node.word == "+":
            return TEXT
        if left.name not in WHOLE | {"money"}:
            raise bad(node, f"{left}和{right}不能用 {node.word}")
        return self.same(node, left, right)

    def _choice(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        condition, then, otherwise = node.parts
        self.must(condition, BOOLEAN, scope, depth)
        return self.same(node, self.kind(then, scope, depth), self.kind(otherwise, scope, depth))

    # ---- macros and calls

    def _macro(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        base, variable, body = node.parts
        self.found.macros += 1
        if self.found.macros > MAX_MACROS:
            raise bad(node, f"一个表达式里逐项遍历超过 {MAX_MACROS} 处")
        walked = self.walked(base, scope, depth)
        name = variable.word
        if name in scope or self.names.knows(name):
            raise bad(variable, f"变量 {name} 已经是别的名字，请换一个")
        item = replace(walked.one, root=f"{walked.root}[]" if walked.root else "")
        inner = {**scope, name: item}
        if node.word == "map":
            kind = self.kind(body, inner, depth + 1)
            if kind.many:
                raise bad(body, "map 里不能再得到列表")
            return replace(kind, many=True)
        self.must(body, BOOLEAN, inner, depth + 1)
        return walked if node.word == "filter" else BOOLEAN

    def walked(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        """The kind of a list that is gone through, and not from too deep inside others."""
        kind = self.kind(node, scope, depth)
        if not kind.many:
            raise bad(node, f"这里应是列表，写的是{kind}")
        if depth >= MAX_WALKS:
            raise bad(node, f"逐项遍历套了超过 {MAX_WALKS} 层")
        self.found.walks = max(self.found.walks, depth + 1)
        return kind

    def _method(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        if node.word not in METHODS:
            raise bad(node, f"没有函数 {node.word}")
        if len(node.parts) != len(("text", "part")):
            raise bad(node, f'{node.word} 写成 文字.{node.word}("…")')
        for part in node.parts:
            self.must(part, TEXT, scope, depth)
        return BOOLEAN

    def _call(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        if node.word == "has":
            return self._has(node, scope, depth)
        function = FUNCTIONS.get(node.word)
        if function is None:
            raise bad(node, f"没有函数 {node.word}")
        return _Call(self, node, function, scope, depth).kind()

    def _has(self, node: Node, scope: Mapping[str, Kind], depth: int) -> Kind:
        if len(node.parts) != 1 or node.parts[0].form != "member":
            raise bad(node, "has 写成 has(组.字段)，例如 has(listing.number)")
        self.kind(node.parts[0], scope, depth)
        return BOOLEAN


class _Call:
    """The check of one function call against what the function takes."""

    def __init__(
        self, walk: _Walk, node: Node, function: Function, scope: Mapping[str, Kind], depth: int
    ) -> None:
        self.walk, self.node, self.function = walk, node, function
        self.scope, self.depth = scope, depth
        self.kinds: list[Kind] = []
        self.taken: Kind | None = None

    def kind(self) -> Kind:
        """Check every argument and give the kind of the result."""
        takes = self.function.takes
        parts = self.node.parts
        least = sum(not take.endswith("?") for take in takes)
        most = 100 if takes[-1].endswith("…") else len(takes)
        single = takes[0] == "first" and len(parts) == 1
        if not (least <= len(parts) <= most or single):
            raise bad(self.node, f"{self.node.word} 的写法是 {self.function.usage}")
        for position, part in enumerate(parts):
            take = takes[min(position, len(takes) - 1)].rstrip("?…")
            self.argument(part, take)
        if takes[-1] == "field?" and len(parts) < len(takes) and self.taken is None:
            self.field_read(self.node, self.function.default)
        if self.node.word == "day" and all(part.form == "number" for part in parts):
            self.require_day([int(part.word) for part in parts])
        return self.given()

    def require_day(self, written: list[int]) -> None:
        """A day that is written out must be one of the calendar."""
        try:
            date(*written)
        except (ValueError, OverflowError):
            raise bad(self.node, f"没有 {'-'.join(map(str, written))} 这一天") from None

    def argument(self, part: Node, take: str) -> None:
        """Check one argument."""
        walk = self.walk
        if take == "field":
            if part.form != "text":
                raise bad(part, "字段名写成加引号的文字")
            self.field_read(part, part.word[1:-1])
            return
        if take in ("items", "sums", "list", "words"):
            kind = walk.walked(part, self.scope, self.depth)
            if take == "sums" and kind.name in ("money", "count"):
                self.taken = kind.one
            elif take in ("items", "sums") and kind.name != "object":
                raise bad(part, f"这里应是合同、专利一类的列表，写的是{kind}")
            if take == "words" and kind.name != "text":
                raise bad(part, f"这里应是文字的列表，写的是{kind}")
        else:
            kind = walk.kind(part, self.scope, self.depth)
            self.fits(part, take, kind)
        self.kinds.append(kind)

    def fits(self, part: Node, take: str, kind: Kind) -> None:
        """Check a plain argument against the kind that is wanted."""
        if take == "first":
            if self.kinds:
                self.walk.same(part, self.kinds[0], kind)
            elif kind.name not in WHOLE | {"money", "date"}:
                raise bad(part, f"{kind}不分大小")
            return
        wanted = self.kinds[0].by if take == "step" else take
        right = {"number": WHOLE, "count": WHOLE, "days": WHOLE, "money": {"money", "zero"}}
        if kind.many or kind.name not in right.get(wanted, {wanted}):
            raise bad(part, f"{self.node.word} 的这一项应是{KIND_WORDS[wanted]}，写的是{kind}")

    def field_read(self, part: Node, name: str) -> None:
        """Note the field that the function takes out of each item."""
        items = self.kinds[0]
        if items.name != "object":
            raise bad(part, f"{items}没有字段可取")
        if name not in items.fields:
            raise bad(part, f"没有事实 {items.root}[].{name}")
        path = f"{items.root}[].{name}"
        self.walk.found.paths[path] = None
        self.taken = of_field(items.fields[name], path)
        if self.node.word == "total" and self.taken.name not in ("money", "count"):
            raise bad(part, f"{self.taken}不能求和")
        wants_date = self.function.gives in ("date", "days")
        if wants_date and self.taken.name != "date":
            raise bad(part, f"{name} 不是日期")

    def given(self) -> Kind:
        """The kind of the result."""
        gives, first = self.function.gives, self.kinds[0]
        if gives == "field":
            return self.taken or COUNT
        if gives == "fields":
            return replace(self.taken or TEXT, many=True)
        if gives == "items":
            return first
        if gives == "element":
            return first.one if first.many else Kind(first.of)
        if gives == "first":
            kind = self.kinds[0]
            for other in self.kinds[1:]:
                kind = self.walk.same(self.node, kind, other)
            return kind.one
        return WORDS if gives == "words" else Kind(gives)


def bad(node: Node, reason: str) -> BadExpression:
    """A refusal with the column of what does not fit."""
    return BadExpression(f"第 {node.column} 列：{reason}")


def checked(node: Node, names: Names) -> tuple[Kind, Reading]:
    """The kind of a whole expression and what it reads; raises BadExpression."""
    walk = _Walk(names)
    return walk.kind(node, {}), walk.found
