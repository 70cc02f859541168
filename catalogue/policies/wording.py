"""Sentences with values in them: ``累计 {total(contracts)}，门槛 {p.minimum}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from catalogue.money import money_text
from catalogue.policies.expressions import BadExpression, Expression, Names, Outcome, compiled
from catalogue.policies.facts import as_date

# The ways to write a value, each with the kinds that can be written so.
WAYS = {
    "money": {"money", "zero"},
    "date": {"date"},
    "days": {"days", "count", "number", "zero"},
    "count": {"count", "days", "number", "zero"},
    "rate": {"rate"},
    "boolean": {"boolean"},
    "text": {"text"},
    "words": {"text"},
    "plain": {"count", "days", "number", "zero", "text", "boolean"},
}
MAX_SENTENCE = 1_000
MAX_HOLES = 20
UNFILLED = "未填"
_HOLE = re.compile(r"\{([^{}]*)\}")
_FORMAT = re.compile(r"(?<!\|)\|\s*([a-z]+)\s*$")


@dataclass(frozen=True)
class Hole:
    """One place in a sentence: the expression that fills it, and how its value is written."""

    expression: Expression
    kind: str


@dataclass(frozen=True)
class Sentence:
    """A sentence cut into fixed pieces and holes; there is one more piece than holes."""

    text: str
    pieces: tuple[str, ...]
    holes: tuple[Hole, ...]

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters that it shows."""
        return frozenset(name for hole in self.holes for name in hole.expression.parameters)

    def filled(self, run: Callable[[Expression], Outcome], terms: Mapping[str, str]) -> str:
        """The sentence with values; a value that is not known reads 未填."""
        words = [self.pieces[0]]
        for hole, piece in zip(self.holes, self.pieces[1:], strict=True):
            words.append(_written(run(hole.expression), hole.kind, terms))
            words.append(piece)
        return "".join(words)


def _written(outcome: Outcome, kind: str, terms: Mapping[str, str]) -> str:
    if not outcome.known:
        return UNFILLED
    try:
        return shown(outcome.value, kind, terms)
    except OverflowError:  # a day beyond the calendar
        return UNFILLED


def sentence(text: str, names: Names) -> Sentence:
    """Compile a sentence; raises BadExpression with a reason for its author."""
    if len(text) > MAX_SENTENCE:
        raise BadExpression(f"一句话超过 {MAX_SENTENCE} 个字")
    pieces = _HOLE.split(text)
    if "{" in "".join(pieces[::2]) or "}" in "".join(pieces[::2]):
        raise BadExpression("花括号没有成对")
    if len(pieces) // 2 > MAX_HOLES:
        raise BadExpression(f"一句话里超过 {MAX_HOLES} 个花括号")
    return Sentence(text, tuple(pieces[::2]), tuple(_hole(inner, names) for inner in pieces[1::2]))


def _hole(inner: str, names: Names) -> Hole:
    match = _FORMAT.search(inner)
    kind = match.group(1) if match else None
    if kind is not None and kind not in WAYS:
        raise BadExpression(f"没有写法 {kind}，可用：{'、'.join(sorted(WAYS))}")
    expression = compiled(inner[: match.start()] if match else inner, names)
    if expression.gives.name == "object":
        raise BadExpression(f"{{{inner}}} 是一组字段，请写出要显示的字段")
    if kind is not None and expression.gives.name not in WAYS[kind]:
        raise BadExpression(f"{{{inner}}} 是{expression.gives}，不能写成 {kind}")
    return Hole(expression, kind or expression.kind)


def rate_text(rate: Mapping[str, int]) -> str:
    """A rate as a percentage without needless zeros, such as 20% or 12.5%."""
    whole, part = divmod(rate["millionths"], 10_000)
    return f"{whole}.{part:04d}".rstrip("0").rstrip(".") + "%"


def shown(value: Any, kind: str, terms: Mapping[str, str]) -> str:  # noqa: PLR0911
    """A value as a page prints it: money in yuan, dates as ISO, ids by their names."""
    if kind.startswith(("classes:", "steps:")):
        return _table_text(value, kind, terms)
    if isinstance(value, list):
        return _list_text(value, kind, terms)
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, str):
        return terms.get(value, value)
    if isinstance(value, Mapping):
        return rate_text(value)
    if kind == "money":
        return f"{money_text(value)} 元"
    if kind == "date":
        return as_date(value).isoformat()
    return f"{value} 天" if kind == "days" else f"{value}"


def _list_text(values: list[Any], kind: str, terms: Mapping[str, str]) -> str:
    if not values:
        return "无"
    if kind == "money":
        return " ＋ ".join(money_text(value) for value in values)
    return "、".join(shown(value, kind, terms) for value in values)


def _table_text(table: Any, kind: str, terms: Mapping[str, str]) -> str:
    """A table by class, ``生物医药 5、其他 3``, or by steps, ``0 元起 10%、…``."""
    form, _, rest = kind.partition(":")
    if form == "classes":
        names = {"other": "其他", **terms}
        return "、".join(f"{names.get(k, k)} {shown(v, rest, terms)}" for k, v in table.items())
    by, _, of = rest.partition(":")
    return "、".join(
        f"{shown(step['from'], by, terms)}起 {shown(step['then'], of, terms)}" for step in table
    )
