"""CEL expressions: the registered functions, static checks, and running with missing facts."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import cel

from catalogue.policies.facts import MILLION, Field, Group, Words, as_date, as_day

MAX_LENGTH = 600
MAX_MACROS = 3
MAX_NESTING = 24

# What CEL itself brings and a policy may use; macros compile to the first three.
BUILT_IN = frozenset({"@not_strictly_false", "@in", "!_", "size", "startsWith", "endsWith"})
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_STRINGS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_PATH = re.compile(rf"(?<![.\w]){_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER})*(\s*\()?")
_MACRO = re.compile(rf"\.\s*(all|exists|exists_one|filter|map)\s*\(\s*({_IDENTIFIER})\s*,")
_BASE = re.compile(rf"({_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER})*)\s*$")
_WORDS = frozenset({"true", "false", "null", "in"})


class BadExpression(ValueError):
    """An expression was refused when its policy was loaded; the text is for its author."""


# ------------------------------------------------------------------ functions


class Missing:
    """Collects the facts that a function needed and did not find, during one evaluation."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def values(self, items: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
        """The ``key`` of each item; items without it are noted and left out."""
        found = []
        for item in items:
            if key in item:
                found.append(item[key])
            else:
                self.keys.append(key)
        return found


@dataclass(frozen=True)
class Function:
    """A registered function: how it is written, what it means, and what kind it returns."""

    usage: str
    meaning: str
    kind: str
    build: Callable[[Missing], Callable[..., Any]]


def share_of(amount: int, rate: Mapping[str, int]) -> int:
    """``amount`` fen times a rate, rounded half up to whole fen.

    A rate reaches expressions as millionths in a map, so that multiplying money by it any other
    way is an error and not a silent inexact number.
    """
    return (2 * amount * rate["millionths"] + MILLION) // (2 * MILLION)


def add_months(day: int, months: int) -> int:
    """The same day ``months`` later (or earlier), or the last day of that month."""
    start = as_date(day)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return as_day(date(year, month + 1, min(start.day, last)))


def _total(missing: Missing) -> Callable[..., int]:
    return lambda items, key="amount": sum(missing.values(items, key))


def _first_n(missing: Missing) -> Callable[..., list[Any]]:
    def first_n(items: list[Any], n: int, key: str = "signed_on") -> list[Any]:
        missing.values(items, key)
        return sorted(items, key=lambda item: item.get(key, 0))[:n]

    return first_n


def _edge(pick: Callable[..., int]) -> Callable[[Missing], Callable[..., int]]:
    def build(missing: Missing) -> Callable[..., int]:
        def edge(items: list[Any], key: str) -> int:
            if not items:
                missing.keys.append(key)
            return pick(missing.values(items, key), default=0)

        return edge

    return build


def _span(missing: Missing) -> Callable[..., int]:
    def span_days(items: list[Any], key: str = "signed_on") -> int:
        days = missing.values(items, key)
        return max(days) - min(days) if days else 0

    return span_days


def _each(missing: Missing) -> Callable[..., list[Any]]:
    return missing.values


def _flat(pick: Callable[..., Any]) -> Callable[[Missing], Callable[..., Any]]:
    def build(_: Missing) -> Callable[..., Any]:
        return lambda *values: pick(values[0] if isinstance(values[0], list) else values)

    return build


def _plain(function: Callable[..., Any]) -> Callable[[Missing], Callable[..., Any]]:
    return lambda _: function


def _absent(wanted: list[str], present: list[str]) -> list[str]:
    return [item for item in wanted if item not in present]


FUNCTIONS: dict[str, Function] = {
    "total": Function(
        'total(contracts) 或 total(contracts, "received")', "各项金额之和", "money", _total
    ),
    "first_n": Function(
        "first_n(contracts, 3)", "按签订日期最早的几个；可在末尾写别的日期字段", "list", _first_n
    ),
    "span_days": Function(
        'span_days(contracts, "invoiced_on")', "最早与最晚日期相隔的天数", "days", _span
    ),
    "earliest": Function(
        'earliest(contracts, "signed_on")', "最早的日期；空列表为缺", "date", _edge(min)
    ),
    "latest": Function(
        'latest(contracts, "signed_on")', "最晚的日期；空列表为缺", "date", _edge(max)
    ),
    "count": Function("count(contracts)", "个数", "count", _plain(len)),
    "each": Function('each(contracts, "amount")', "逐项取出一个字段", "each", _each),
    "min": Function("min(a, b)", "较小者", "first", _flat(min)),
    "max": Function("max(a, b)", "较大者", "first", _flat(max)),
    "share": Function("share(金额, p.rate)", "金额乘比例，四舍五入到分", "money", _plain(share_of)),
    "day": Function(
        "day(2025, 4, 1)", "一个日期", "date", _plain(lambda y, m, d: as_day(date(y, m, d)))
    ),
    "year_of": Function(
        "year_of(某日期)", "日期所在的年", "count", _plain(lambda d: as_date(d).year)
    ),
    "year_start": Function(
        "year_start(2025)", "某年 1 月 1 日", "date", _plain(lambda y: as_day(date(y, 1, 1)))
    ),
    "year_end": Function(
        "year_end(2025)", "某年 12 月 31 日", "date", _plain(lambda y: as_day(date(y, 12, 31)))
    ),
    "add_months": Function(
        "add_months(某日期, -18)", "往后（负数往前）若干个月的同一天", "date", _plain(add_months)
    ),
    "absent": Function(
        "absent(required_materials, materials)", "应有而没有的", "words", _plain(_absent)
    ),
    "has_all": Function(
        "has_all(materials, required_materials)",
        "前者是否包含后者的全部",
        "boolean",
        _plain(lambda present, wanted: not _absent(wanted, present)),
    ),
}


# ------------------------------------------------------------------ static checks


@dataclass(frozen=True)
class Expression:
    """A compiled expression and what its text says about it."""

    text: str
    program: Any
    paths: tuple[str, ...]
    parameters: tuple[str, ...]
    kind: str
    # Root and key when the expression is one plain name: most holes of sentences are, and a
    # look-up is far cheaper than handing the whole context to CEL.
    direct: tuple[str, str] | None = None


def _without_strings(text: str) -> str:
    return _STRINGS.sub(lambda match: '"' + " " * (len(match.group()) - 2) + '"', text)


def _bindings(bare: str) -> dict[str, str]:
    """Macro variables and the list path that each walks; an empty path when it is computed."""
    bound: dict[str, str] = {}
    for match in _MACRO.finditer(bare):
        base = _BASE.search(bare[: match.start()])
        path = re.sub(r"\s", "", base.group(1)) if base else ""
        bound[match.group(2)] = path
    return bound


def _paths(bare: str, bound: Mapping[str, str]) -> list[str]:
    """Dotted names that the expression reads; macro variables become ``list[].field``."""
    found = []
    for match in _PATH.finditer(bare):
        parts = re.sub(r"[\s(]", "", match.group()).split(".")
        if match.group(1):
            parts = parts[:-1]
        if not parts or parts[0] in _WORDS:
            continue
        if parts[0] in bound:
            parts[0] = f"{bound[parts[0]]}[]"
        found.append(".".join(parts))
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Names:
    """The names that expressions of one policy may use, each with its kind."""

    schema: Mapping[str, Group | Words]
    parameters: Mapping[str, str]
    lines: frozenset[str] = frozenset()

    def with_line(self, name: str) -> Names:
        """The same names and one more worksheet line."""
        return Names(self.schema, self.parameters, self.lines | {name})

    def kind(self, path: str) -> str:
        """The kind of value that ``path`` reads; raises BadExpression when there is none."""
        if path == "today":
            return "date"
        if path == "required_materials":
            return "words"
        if path in self.lines:
            return "money"
        root, _, rest = path.partition(".")
        if root == "p":
            if rest not in self.parameters:
                raise BadExpression(f"没有参数 {path}")
            return self.parameters[rest]
        return self._fact(path, root, rest)

    def _fact(self, path: str, root: str, rest: str) -> str:
        if root.endswith("[]"):
            return self._item(path, root[:-2], rest)
        group = self.schema.get(root)
        if "[]" in path and isinstance(group, Group):
            base, _, rest = rest.partition("[]")
            fields = group.fields[base].fields if base in group.fields else {}
            return self._field(path, fields, rest[1:]) if rest else "list"
        if group is None:
            raise BadExpression(f"没有事实 {path}")
        if isinstance(group, Words) or not rest:
            return "words" if isinstance(group, Words) else "list"
        if group.many:
            raise BadExpression(f"{root} 是列表，要用 all、exists 等逐项看")
        return self._field(path, group.fields, rest)

    def _item(self, path: str, base: str, rest: str) -> str:
        group = self.schema.get(base)
        if isinstance(group, Group) and group.many:
            return self._field(path, group.fields, rest) if rest else "list"
        lists = [g.fields for g in self.schema.values() if isinstance(g, Group) and g.many]
        nested = [
            f.fields
            for g in self.schema.values()
            if isinstance(g, Group)
            for f in g.fields.values()
            if f.fields
        ]
        for fields in (*lists, *nested):
            if rest in fields:
                return fields[rest].kind
        if not rest:
            return "text"
        raise BadExpression(f"列表的各项没有 {rest}")

    @staticmethod
    def _field(path: str, fields: Mapping[str, Field], rest: str) -> str:
        if rest not in fields:
            raise BadExpression(f"没有事实 {path}")
        return fields[rest].kind


def _shape(text: str, bare: str) -> None:
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"表达式超过 {MAX_LENGTH} 个字符")
    if len(_MACRO.findall(bare)) > MAX_MACROS:
        raise BadExpression(f"一个表达式里逐项遍历超过 {MAX_MACROS} 处")
    depth = deepest = 0
    for char in bare:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise BadExpression(f"括号嵌套超过 {MAX_NESTING} 层")
    if re.search(r"(?<![\w.])\d+\.\d+", bare):
        raise BadExpression("表达式里不写小数；比例请写成参数，用 share(金额, p.参数) 相乘")


def _syntax_reason(error: ValueError) -> str:
    match = re.search(r"<input>:(\d+):(\d+):\s*(.*)", str(error))
    if not match:
        return "表达式写法有误"
    return f"表达式第 {match.group(2)} 列写法有误：{match.group(3)[:80]}"


def _kind_of(text: str, bare: str, paths: list[str], names: Names) -> str:
    """The kind of the whole expression where its form makes it plain, else ``plain``."""
    stripped = bare.strip()
    if re.fullmatch(rf"{_IDENTIFIER}(\.{_IDENTIFIER})*", stripped) and stripped not in _WORDS:
        return names.kind(stripped)
    call = re.match(rf"({_IDENTIFIER})\(", stripped)
    if not call or call.group(1) not in FUNCTIONS or not _closes_at_end(stripped):
        return "plain"
    kind = FUNCTIONS[call.group(1)].kind
    if kind == "each":
        return _each_kind(text, names)
    if kind != "first":
        return kind
    kinds = [names.kind(path) for path in paths]
    return next((k for k in kinds if k in ("money", "date")), "plain")


def _each_kind(text: str, names: Names) -> str:
    """The kind of the field that ``each(list, "field")`` takes out."""
    match = re.search(r"[\"'](\w+)[\"']\s*\)\s*$", text)
    field = match.group(1) if match else ""
    for group in names.schema.values():
        if isinstance(group, Group) and group.many and field in group.fields:
            return group.fields[field].kind
    raise BadExpression("each 的第二个参数应是列表各项的字段名")


def _closes_at_end(text: str) -> bool:
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == ")" and depth == 0:
            return position == len(text) - 1
    return False


def compiled(text: str, names: Names) -> Expression:
    """Compile ``text`` after checking its form, its names and its functions.

    Raises BadExpression with a reason for the author.
    """
    bare = _without_strings(text)
    _shape(text, bare)
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise BadExpression(_syntax_reason(error)) from None
    for name in program.functions():
        if name == "_[_]":
            raise BadExpression("不用下标取值；请用 first_n、earliest、latest、each 等函数")
        if name not in BUILT_IN and name not in FUNCTIONS and not name.startswith("_"):
            raise BadExpression(f"没有函数 {name}")
    bound = _bindings(bare)
    paths = _paths(bare, bound)
    for path in paths:
        names.kind(path)
    loose = set(program.variables()) - {p.split(".")[0].removesuffix("[]") for p in paths}
    if loose - set(bound):
        raise BadExpression(f"没有事实 {min(loose - set(bound))}")
    parameters = tuple(path[2:] for path in paths if path.startswith("p."))
    kind = _kind_of(text, bare, paths, names)
    plain = re.fullmatch(rf"({_IDENTIFIER})\.({_IDENTIFIER})", text.strip())
    direct = (plain.group(1), plain.group(2)) if plain else None
    return Expression(text, program, tuple(paths), parameters, kind, direct)


# ------------------------------------------------------------------ running


@dataclass(frozen=True)
class Outcome:
    """What running an expression gave: a value, or the facts missing, or an error."""

    value: Any = None
    missing: tuple[str, ...] = ()
    error: str | None = None

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not self.missing and self.error is None


class Run:
    """One evaluation: the facts, the parameters, and the functions bound to them."""

    def __init__(
        self,
        facts: Mapping[str, Any],
        schema: Mapping[str, Group | Words],
        variables: Mapping[str, Any],
    ) -> None:
        self._facts = facts
        self._schema = schema
        self._variables = {**facts, **variables}
        self._missing = Missing()
        self._lines_missing: dict[str, tuple[str, ...]] = {}
        # Facts do not change during an evaluation, and a worksheet line is only read once it is
        # set, so the same text has the same outcome wherever it stands.
        self._known: dict[str, Outcome] = {}
        functions = {name: item.build(self._missing) for name, item in FUNCTIONS.items()}
        self._context = cel.Context(variables=self._variables, functions=functions)

    def remember(self, name: str, value: Any) -> None:
        """Make a worksheet line readable by the lines after it."""
        self._context.add_variable(name, value)

    def remember_missing(self, name: str, missing: tuple[str, ...]) -> None:
        """Remember why a worksheet line has no value."""
        self._lines_missing[name] = missing

    def run(self, expression: Expression) -> Outcome:
        """The outcome of ``expression``; never raises."""
        outcome = self._known.get(expression.text)
        if outcome is None:
            outcome = self._known[expression.text] = self._run(expression)
        return outcome

    def _run(self, expression: Expression) -> Outcome:
        if expression.direct is not None:
            root, key = expression.direct
            found = self._variables.get(root)
            if isinstance(found, Mapping) and key in found:
                return Outcome(value=found[key])
        if self._lines_missing:
            for path in expression.paths:
                if path in self._lines_missing:
                    return Outcome(missing=self._lines_missing[path])
        self._missing.keys.clear()
        try:
            value = expression.program.execute(self._context)
        except KeyError as error:
            return self._lacking(expression, {str(error.args[0])}, error)
        except Exception as error:
            return self._lacking(expression, set(self._missing.keys), error)
        if self._missing.keys:
            return self._lacking(expression, set(self._missing.keys), None)
        return Outcome(value=value)

    def _lacking(self, expression: Expression, keys: set[str], error: Exception | None) -> Outcome:
        labels = [*self._absent_lists(expression), *self._labels(expression, keys)]
        if labels:
            return Outcome(missing=tuple(dict.fromkeys(labels)))
        return Outcome(error=f"{type(error).__name__}: {error}" if error else "缺少事实")

    def _absent_lists(self, expression: Expression) -> list[str]:
        """Lists that the expression reads and nobody gave."""
        roots = {path.split(".")[0].removesuffix("[]") for path in expression.paths}
        return [
            root.label
            for name, root in self._schema.items()
            if name in roots and name not in self._facts
        ]

    def _labels(self, expression: Expression, keys: set[str]) -> list[str]:
        labels: list[str] = []
        for path in expression.paths:
            root, _, rest = path.partition(".")
            group = self._schema.get(root)
            if not isinstance(group, Group) or group.many or rest not in keys:
                continue
            if rest not in self._facts[root]:
                labels.append(group.fields[rest].label)
        roots = {path.split(".")[0].removesuffix("[]") for path in expression.paths}
        return labels + self._item_labels(keys, roots)

    def _item_labels(self, keys: set[str], roots: set[str]) -> list[str]:
        """Items of given lists that lack one of ``keys``, counted from one as on the form."""
        labels = []
        for name, group in self._schema.items():
            if not isinstance(group, Group) or not group.many:
                continue
            if name not in roots or name not in self._facts:
                continue
            for key in keys & set(group.fields):
                items = self._facts[name]
                lacking = [i for i, item in enumerate(items, 1) if key not in item]
                labels += [f"{group.label} {i} 的{group.fields[key].label}" for i in lacking]
                if not items:
                    labels.append(f"{group.label}的{group.fields[key].label}")
        return labels
