"""What if: other rates, caps, thresholds and budgets, tried on the cases of the past.

Values in, values out: no Flask, no database, no clock. Whoever has the cases can work out every
figure again: money is the sum of the amounts of eligible cases, a firm comes in when it has an
eligible case that it did not have before, and the years to come grow by what the reader typed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalogue.policies.backtest import Case, Tally, tally, year_of
from catalogue.policies.document import Parameter, PolicyDocument
from catalogue.policies.rules import Decision

YEARS = 3
# Tenths of a percent: 1000 is no growth at all.
NO_GROWTH = 1000
FIRMS_NAMED = 50
TURNED = ("money", "rate", "count", "days")


@dataclass(frozen=True)
class Firm:
    """A firm by its credit code, with the name under which it applied."""

    code: str
    name: str


@dataclass(frozen=True)
class Year:
    """One year of the path, in fen; ``left_fen`` is negative when the budget does not suffice."""

    year: int
    money_fen: int
    budget_fen: int | None

    @property
    def left_fen(self) -> int | None:
        """What the budget leaves."""
        return None if self.budget_fen is None else self.budget_fen - self.money_fen


@dataclass(frozen=True)
class Simulated:
    """What a scenario does to the cases.

    ``paid`` are the eligible cases of ``year`` (the newest year among the cases) as (day, fen) in
    the order of their decisions.
    """

    tally: Tally
    came_in: tuple[Firm, ...]
    fell_out: tuple[Firm, ...]
    firms_before: int
    firms_after: int
    year: int | None
    paid: tuple[tuple[date, int], ...]

    @property
    def year_fen(self) -> int:
        """The money of the newest year."""
        return sum(fen for _, fen in self.paid)

    def used_up(self, budget_fen: int) -> tuple[int, date] | None:
        """Which case of the newest year no longer fits the budget, and its day; None if all do."""
        left = budget_fen
        for place, (day, fen) in enumerate(self.paid, 1):
            left -= fen
            if left < 0:
                return place, day
        return None


def turnable(document: PolicyDocument, day: date) -> dict[str, Parameter]:
    """The single numbers that a policy computes with: amounts, rates, counts and days."""
    return {
        name: parameter
        for name, parameter in document.in_force(day).items()
        if parameter.kind in TURNED and parameter.shape == "one" and parameter.formula is None
    }


def simulate(document: PolicyDocument, cases: Sequence[Case]) -> Simulated:
    """Decide ``cases`` under ``document``; each as of its own day."""
    before: dict[str, Firm] = {}
    after: dict[str, Firm] = {}
    newest = max((year_of(case) for case in cases), default=None)
    paid: list[tuple[date, int, int]] = []

    def note(case: Case, decision: Decision) -> None:
        firm = _firm(case.facts)
        if case.verdict == "eligible":
            before[firm.code] = firm
        if decision.verdict == "eligible":
            after[firm.code] = firm
            if year_of(case) == newest:
                paid.append((case.decided_on, case.id, decision.amount_fen or 0))

    return Simulated(
        tally=tally(document, cases, told=note),
        came_in=_named(after, before),
        fell_out=_named(before, after),
        firms_before=len(before),
        firms_after=len(after),
        year=None if newest is None else int(newest),
        paid=tuple((day, fen) for day, _, fen in sorted(paid)),
    )


def _firm(facts: Mapping[str, Any]) -> Firm:
    about = facts.get("enterprise") or {}
    return Firm(about.get("credit_code", ""), about.get("name", ""))


def _named(these: Mapping[str, Firm], without: Mapping[str, Firm]) -> tuple[Firm, ...]:
    return tuple(these[code] for code in sorted(these.keys() - without.keys()))


def grown(fen: int, tenths: int, years: int) -> int:
    """``fen`` after ``years`` of growth by ``tenths`` / 1000 each, half up to whole fen a year."""
    for _ in range(years):
        fen = (2 * fen * tenths + NO_GROWTH) // (2 * NO_GROWTH)
    return fen


def path(
    start: int, money_fen: int, budget_fen: int | None, growth: int, budget_growth: int
) -> tuple[Year, ...]:
    """Three years from ``start``; growths in thousandths, 1000 for none."""
    return tuple(
        Year(
            start + number,
            grown(money_fen, growth, number),
            None if budget_fen is None else grown(budget_fen, budget_growth, number),
        )
        for number in range(YEARS)
    )


def differing(rows: Iterable[tuple[str, Sequence[Any]]]) -> list[tuple[str, Sequence[Any], bool]]:
    """Rows of a comparison, those whose values differ first; the third value says so."""
    told = [(label, values, len(set(values)) > 1) for label, values in rows]
    return sorted(told, key=lambda row: not row[2])
