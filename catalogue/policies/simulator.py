"""What if: other rates, caps, thresholds and budgets, tried on the cases of the past.

Values in, values out: no Flask, no database, no clock. Whoever has the cases can work out every
figure again: money is the sum of the amounts of eligible cases, a firm comes in when it has an
eligible case that it does not have under the unchanged text, and the years to come grow by what
the reader typed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from catalogue.policies.backtest import UNKNOWN, Cell
from catalogue.policies.varying import Standing

YEARS = 3
# Tenths of a percent: 1000 is no growth at all.
NO_GROWTH = 1000
FIRMS_NAMED = 50


class PastClaim(Protocol):
    """One past case as it was recorded: ``year`` is that whose budget it falls on."""

    @property
    def id(self) -> int: ...
    @property
    def policy_id(self) -> int: ...
    @property
    def verdict(self) -> str: ...
    @property
    def amount_fen(self) -> int | None: ...
    @property
    def district(self) -> str | None: ...
    @property
    def firm_size(self) -> str | None: ...
    @property
    def decided_on(self) -> date: ...
    @property
    def year(self) -> int: ...
    @property
    def firm_code(self) -> str: ...
    @property
    def firm_name(self) -> str: ...


@dataclass(frozen=True)
class Firm:
    """A firm by its credit code, with the name under which it applied."""

    code: str
    name: str


@dataclass(frozen=True)
class Side:
    """The figures of one way to decide the cases; money in fen, ``pending`` goes to a person."""

    eligible: int
    fen: int
    pending_fen: int
    firms: int


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

    ``recorded`` is what was decided in its time, ``unchanged`` the version run again as it
    stands, ``turned`` the scenario. ``otherwise`` cases come out of the unchanged version with
    another verdict or money than was recorded; ``of_others`` were recorded under other texts.
    ``groups`` compare unchanged (old) and turned (new) by district and firm size. ``paid`` are
    the eligible cases of ``year`` (the newest year among the cases) as (day, fen) in the order of
    their decisions. Firms are named up to FIRMS_NAMED and counted all.
    """

    cases: int
    recorded: Side
    unchanged: Side
    turned: Side
    otherwise: int
    of_others: int
    flipped: int
    groups: Mapping[str, Mapping[str, Cell]]
    came_in: tuple[Firm, ...]
    fell_out: tuple[Firm, ...]
    firms_in: int
    firms_out: int
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


class _Sums:
    """The figures of one side while they grow."""

    def __init__(self) -> None:
        self.eligible = self.fen = self.pending = 0
        self.firms: dict[str, str] = {}

    def add(self, case: PastClaim, verdict: str, amount: int | None) -> tuple[int, int, int]:
        """Count a case; whether it is eligible, its sure and its pending money."""
        eligible = verdict == "eligible"
        fen = amount or 0 if eligible else 0
        pending = amount or 0 if verdict == "needs_person" else 0
        if eligible:
            self.eligible += 1
            self.firms[case.firm_code] = case.firm_name
        self.fen += fen
        self.pending += pending
        return int(eligible), fen, pending

    @property
    def side(self) -> Side:
        return Side(self.eligible, self.fen, self.pending, len(self.firms))


def simulate(
    decided: Iterable[tuple[PastClaim, Standing, Standing]], policy_id: int | None
) -> Simulated:
    """Count cases, each with how it stands under the unchanged text and under the scenario.

    ``policy_id`` is that of the unchanged text, None for a draft, which no case was decided under.
    """
    recorded, unchanged, turned = _Sums(), _Sums(), _Sums()
    groups: dict[str, dict[str, list[int]]] = {"district": {}, "firm_size": {}}
    cases = otherwise = of_others = flipped = 0
    newest = 0
    paid: list[tuple[date, int, int]] = []
    for case, before, after in decided:
        cases += 1
        then = recorded.add(case, case.verdict, case.amount_fen)
        old = unchanged.add(case, before.verdict, before.amount_fen)
        new = turned.add(case, after.verdict, after.amount_fen)
        of_others += case.policy_id != policy_id
        otherwise += case.verdict != before.verdict or then != old
        flipped += before.verdict != after.verdict
        numbers = (1, old[0], new[0], old[1], new[1], old[2], new[2])
        for name, key in (("district", case.district), ("firm_size", case.firm_size)):
            cell = groups[name].setdefault(key or UNKNOWN, [0] * len(numbers))
            for position, number in enumerate(numbers):
                cell[position] += number
        if case.year > newest:
            newest, paid = case.year, []
        if new[0] and case.year == newest:
            paid.append((case.decided_on, case.id, new[1]))
    came_in, fell_out = _only(turned.firms, unchanged.firms), _only(unchanged.firms, turned.firms)
    return Simulated(
        cases=cases,
        recorded=recorded.side,
        unchanged=unchanged.side,
        turned=turned.side,
        otherwise=otherwise,
        of_others=of_others,
        flipped=flipped,
        groups={
            name: {key: Cell(*numbers) for key, numbers in cells.items()}
            for name, cells in groups.items()
        },
        came_in=came_in[:FIRMS_NAMED],
        fell_out=fell_out[:FIRMS_NAMED],
        firms_in=len(came_in),
        firms_out=len(fell_out),
        year=newest or None,
        paid=tuple((day, fen) for day, _, fen in sorted(paid)),
    )


def _only(these: Mapping[str, str], without: Mapping[str, str]) -> tuple[Firm, ...]:
    return tuple(Firm(code, these[code]) for code in sorted(these.keys() - without.keys()))


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
