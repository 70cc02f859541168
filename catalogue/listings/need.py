"""A need: what a buyer asks of figures, and how near each product comes, figure by figure.

Every row of a need is met, missed by so much, or unknown because the product does not state it;
there is no score that hides which. Values in, values out: no Flask, no database.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from typing import Any, Protocol

from catalogue.listings.figures import (
    MAX_LIMITS,
    MEETS,
    MISSES,
    SIGNS,
    UNKNOWN,
    Limit,
    Span,
    base_span,
    limit,
    span_of,
)
from catalogue.listings.units import plain, unit_of
from catalogue.listings.words import compact
from catalogue.products.taxonomies import domains

BETWEEN = "in"
RELATIONS = {"le": SIGNS["le"], "ge": SIGNS["ge"], "eq": SIGNS["eq"], BETWEEN: "介于"}
BOXES = ("figure", "relation", "amount", "upto", "unit")
MAX_ROWS = MAX_LIMITS
BLANK_ROWS = 2
# What is not stated is as far away as a figure that is off by its whole amount, or by more.
_UNKNOWN_SHARE = Decimal(1)
_SIX_DIGITS = Context(prec=6)


class Product(Protocol):
    """What judging reads of a product."""

    @property
    def number(self) -> str:
        """Its number in the catalogue."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Its public facts, ``specifications`` among them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One row: a figure, how it is held against ``amount`` (and ``upto`` when between), a unit."""

    figure: str
    relation: str
    amount: Decimal
    upto: Decimal | None = None
    unit: str = ""

    def __str__(self) -> str:
        if self.upto is None:
            text = f"{self.figure} {RELATIONS[self.relation]} {plain(self.amount)}"
        else:
            text = f"{self.figure} {plain(self.amount)}–{plain(self.upto)}"
        return f"{text} {self.unit}".strip()

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The same as limits of a search: one, or two when between."""
        if self.upto is None:
            return (Limit(self.figure, self.relation, self.amount, self.unit),)
        return (
            Limit(self.figure, "ge", self.amount, self.unit),
            Limit(self.figure, "le", self.upto, self.unit),
        )

    @property
    def size(self) -> Decimal:
        """How many of the family's first unit one unit holds; 1 when no unit is asked."""
        return unit_of(self.unit).size if self.unit else Decimal(1)

    def relaxed(self, share: Decimal) -> Wish:
        """The same wish, content with so much less or more."""
        if self.upto is not None:
            slack = max(abs(self.amount), abs(self.upto)) * share
            return replace(self, amount=self.amount - slack, upto=self.upto + slack)
        slack = abs(self.amount) * share
        if self.relation == "eq":
            return replace(
                self, relation=BETWEEN, amount=self.amount - slack, upto=self.amount + slack
            )
        return replace(self, amount=self.amount + (slack if self.relation == "le" else -slack))


@dataclass(frozen=True)
class Need:
    """Everything asked: rows, and the kind and the domain that narrow the choice."""

    wishes: tuple[Wish, ...] = ()
    kind: str = ""
    domain: str = ""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The need as address parameters, in one fixed order."""
        found = [(name, value) for name in ("kind", "domain") if (value := getattr(self, name))]
        for wish in self.wishes:
            upto = "" if wish.upto is None else plain(wish.upto)
            values = (wish.figure, wish.relation, plain(wish.amount), upto, wish.unit)
            found += list(zip(BOXES, values, strict=True))
        return found

    @property
    def chosen(self) -> dict[str, tuple[str, ...]]:
        """Kind and domain as a search takes them, and only what may be bought today."""
        narrowed = {
            name: (value,) for name, value in (("kind", self.kind), ("domain", self.domain))
        }
        chosen = {name: values for name, values in narrowed.items() if values[0]}
        return {**chosen, "status": ("valid", "undated")}


@dataclass(slots=True)
class Row:
    """One row as typed, with what is wrong in it by box."""

    typed: Mapping[str, str]
    faults: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Asked:
    """What an address asks, the rows to show again, and whether anything was not understood."""

    need: Need
    rows: list[Row]
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """One product against one row: the verdict, what it states, what is lacking, in words.

    ``share`` is how far it misses as a part of what was asked: 0 when met, at most 1.
    """

    verdict: str
    stated: str
    gap: str
    share: Decimal


@dataclass(frozen=True)
class Candidate:
    """One product against the whole need."""

    product: Any
    answers: tuple[Answer, ...]

    @property
    def verdict(self) -> str:
        """Meets when every row is met, misses when one is missed, otherwise unknown."""
        verdicts = {answer.verdict for answer in self.answers}
        if MISSES in verdicts:
            return MISSES
        return UNKNOWN if UNKNOWN in verdicts else MEETS

    @property
    def order(self) -> tuple[bool, Decimal, str]:
        """Those that meet everything first, then the nearest."""
        distance = sum((answer.share for answer in self.answers), Decimal(0))
        return self.verdict != MEETS, distance, self.product.number


def read(arguments: Any, kinds: Mapping[str, str]) -> Asked:
    """The need of an address (a werkzeug MultiDict); what cannot be read stays as typed."""
    faults: list[str] = []
    columns = [arguments.getlist(box)[: MAX_ROWS + 1] for box in BOXES]
    count = max(map(len, columns))
    if count > MAX_ROWS:
        faults.append(f"一次最多比 {MAX_ROWS} 项指标，后面的没有采用")
    rows = []
    for place in range(min(count, MAX_ROWS)):
        values = (_clean(column[place]) if place < len(column) else "" for column in columns)
        rows.append(Row(dict(zip(BOXES, values, strict=True))))
    wishes = [wish for row in rows if (wish := _wish(row)) is not None]
    asked = Need(
        tuple(dict.fromkeys(wishes)),
        _one_of(arguments.get("kind", ""), kinds, "类别", faults),
        _one_of(arguments.get("domain", ""), domains(), "领域", faults),
    )
    return Asked(asked, _shown(rows, more="more" in arguments), faults)


def _shown(rows: list[Row], *, more: bool) -> list[Row]:
    """The rows to show again: what was typed, and blank ones to type into."""
    filled = [row for row in rows if _filled(row)]
    wanted = len(rows) + 1 if more else max(len(filled), BLANK_ROWS)
    blank = max(0, min(wanted, MAX_ROWS) - len(filled))
    return [*filled, *(Row(dict.fromkeys(BOXES, "")) for _ in range(blank))]


def _clean(text: str) -> str:
    plain_text = unicodedata.normalize("NFC", text)
    visible = (" " if unicodedata.category(sign)[0] == "C" else sign for sign in plain_text)
    return " ".join("".join(visible).split())[:60]


def _filled(row: Row) -> bool:
    return any(row.typed[box] for box in ("figure", "amount", "upto"))


def _one_of(value: str, names: Mapping[str, str], title: str, faults: list[str]) -> str:
    if value and value not in names:
        faults.append(f"{title}里没有“{_clean(value)[:20]}”，没有采用")
        return ""
    return value


def _wish(row: Row) -> Wish | None:
    """The wish of a row; None when it is blank or wrong, and the row then says where."""
    if not _filled(row):
        return None
    typed = row.typed
    relation = typed["relation"] or "le"
    if relation not in RELATIONS:
        row.faults["relation"] = "请选 ≤、≥、= 或介于"
        return None
    if not compact(typed["figure"]):
        row.faults["figure"] = "请填指标的名称"
    ends: list[Limit | None] = []
    for box in ("amount", "upto") if relation == BETWEEN else ("amount",):
        end = limit(typed["figure"] or "x", "eq", typed[box], typed["unit"])
        if end is None and "figure" not in row.faults:
            row.faults[box] = "请填数字，例如 193"
        ends.append(end)
    if row.faults or (low := ends[0]) is None:
        return None
    if relation != BETWEEN:
        return Wish(low.name, relation, low.value, None, low.unit)
    high = ends[1]
    if high is None or high.value < low.value:
        row.faults["upto"] = "应不小于前面的数"
        return None
    return Wish(low.name, relation, low.value, high.value, low.unit)


def judged(products: Sequence[Product], need: Need) -> list[Candidate]:
    """Every product against every row: what meets first, then the nearest; ties by number."""
    candidates = [
        Candidate(
            product,
            tuple(answer(product.facts["specifications"] or (), wish) for wish in need.wishes),
        )
        for product in products
    ]
    return sorted(candidates, key=lambda candidate: candidate.order)


def answer(figures: Sequence[Mapping[str, Any]], wish: Wish) -> Answer:
    """What the figures of a product say to a row: of several that fit the name, the best."""
    named = _named(figures, wish.figure)
    found: list[Answer] = []
    for figure in named:
        unit = str(figure.get("unit", ""))
        if wish.unit and unit_of(unit).family != unit_of(wish.unit).family:
            continue
        span = base_span(figure) if wish.unit else span_of(figure)
        missed = None if span is None else _missed(span, wish)
        if missed is not None:
            found.append(_answer(*missed, wish, _stated(figure)))
    if found:
        return min(found, key=lambda each: each.share)
    stated = "；".join(filter(None, map(_stated, named[:2])))
    return Answer(UNKNOWN, stated, "写法或单位不能比" if stated else "没有写明", _UNKNOWN_SHARE)


def _named(figures: Sequence[Mapping[str, Any]], wanted: str) -> list[Mapping[str, Any]]:
    """The figures of exactly this name; else those whose name holds it."""
    key = compact(wanted)
    names = [(compact(str(figure.get("name", ""))), figure) for figure in figures]
    return [figure for name, figure in names if name == key] or [
        figure for name, figure in names if key in name
    ]


def _stated(figure: Mapping[str, Any]) -> str:
    return f"{figure.get('value', '')} {figure.get('unit', '')}".strip()


def _missed(span: Span, wish: Wish) -> tuple[Decimal, bool] | None:
    """By how much of the family's first unit a span misses (at least so much, when True).

    None when the span has no end on the side that decides, and the other end tells nothing.
    """
    low, high = span
    floor, ceiling = _bounds(wish)
    over = _beyond(high, low, ceiling, lambda end, bound: end - bound)
    under = _beyond(low, high, floor, lambda end, bound: bound - end)
    sides = [side for side in (over, under) if side != (Decimal(0), False)]
    if not sides:
        return Decimal(0), False
    missed = [side for side in sides if side is not None]
    if not missed:
        return None
    distance, at_least = max(missed)
    # What one side misses is certain; with the other side open it may be more.
    return distance, at_least or None in sides


def _bounds(wish: Wish) -> tuple[Decimal | None, Decimal | None]:
    amount = wish.amount * wish.size
    if wish.upto is not None:
        return amount, wish.upto * wish.size
    return {"le": (None, amount), "ge": (amount, None), "eq": (amount, amount)}[wish.relation]


def _beyond(
    end: Decimal | None,
    other: Decimal | None,
    bound: Decimal | None,
    distance: Callable[[Decimal, Decimal], Decimal],
) -> tuple[Decimal, bool] | None:
    """How far the deciding end lies beyond a bound; by the other end, at least how far."""
    if bound is None:
        return Decimal(0), False
    if end is not None:
        return max(distance(end, bound), Decimal(0)), False
    if other is not None and distance(other, bound) > 0:
        return distance(other, bound), True
    return None


def _answer(missed: Decimal, at_least: bool, wish: Wish, stated: str) -> Answer:  # noqa: FBT001
    if not missed and not at_least:
        return Answer(MEETS, stated, "", Decimal(0))
    ends = [abs(end) for end in (wish.amount, wish.upto) if end is not None]
    asked = max(ends) * wish.size
    number = plain(_SIX_DIGITS.plus(missed / wish.size))
    gap = f"{'至少差' if at_least else '差'} {number} {wish.unit}".strip()
    # An open end says no more than an unstated figure about how near the product comes.
    share = _UNKNOWN_SHARE if at_least or not asked else min(missed / asked, _UNKNOWN_SHARE)
    return Answer(MISSES, stated, gap, share)
