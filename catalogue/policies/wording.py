"""Sentences with values in them: ``累计 {total(contracts)}，门槛 {p.minimum}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from catalogue.policies.expressions import BadExpression, Expression, Names, Outcome, compiled
from catalogue.policies.facts import as_date

KINDS = frozenset({"money", "date", "days", "count", "rate", "boolean", "text", "words", "plain"})
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
            outcome = run(hole.expression)
            words.append(shown(outcome.value, hole.kind, terms) if outcome.known else UNFILLED)
            words.append(piece)
        return "".join(words)


def sentence(text: str, names: Names) -> Sentence:
    """Compile a sentence; raises BadExpression with a reason for its author."""
    pieces = _HOLE.split(text)
    if "{" in "".join(pieces[::2]) or "}" in "".join(pieces[::2]):
        raise BadExpression("花括号没有成对")
    return Sentence(text, tuple(pieces[::2]), tuple(_hole(inner, names) for inner in pieces[1::2]))


def _hole(inner: str, names: Names) -> Hole:
    match = _FORMAT.search(inner)
    kind = match.group(1) if match else None
    if kind is not None and kind not in KINDS:
        raise BadExpression(f"没有写法 {kind}，可用：{'、'.join(sorted(KINDS))}")
    expression = compiled(inner[: match.start()] if match else inner, names)
    return Hole(expression, kind or expression.kind)


def money_text(fen: int) -> str:
    """Fen as yuan with separators and two decimals, such as 926,500.00."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100:,}.{fen % 100:02d}"


def rate_text(rate: Mapping[str, int]) -> str:
    """A rate as a percentage without needless zeros, such as 20% or 12.5%."""
    whole, part = divmod(rate["millionths"], 10_000)
    return f"{whole}.{part:04d}".rstrip("0").rstrip(".") + "%"


def shown(value: Any, kind: str, terms: Mapping[str, str]) -> str:  # noqa: PLR0911
    """A value as a page prints it: money in yuan, dates as ISO, ids by their names."""
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
