"""Trying a policy on past cases: what flips, by which rules, and what money moves.

Values in, values out: no Flask, no database, no clock. Tallies of parts add up to the tally of
the whole, wherever the cases are cut, so that many workers give the result of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Any, Protocol

from catalogue.policies.document import PolicyDocument
from catalogue.policies.facts import Group
from catalogue.policies.rules import Decision, decide

# How many flipped cases a tally names; the counts are of all.
SAMPLE = 200
GROUPINGS = ("scheme", "year", "district", "firm_size")
UNKNOWN = ""


class Case(Protocol):
    """One decision as it was recorded: where it belongs, what came out, and from which facts.

    ``id`` orders cases; ``amount_fen`` is None without money; ``decided_on`` is the day under
    which the rules were read.
    """

    @property
    def id(self) -> int: ...
    @property
    def application_number(self) -> str: ...
    @property
    def policy_id(self) -> int: ...
    @property
    def scheme(self) -> str: ...
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
    def facts(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Cell:
    """Counts and money of one group, before and after.

    ``old_fen`` and ``new_fen`` are the money of eligible cases; the ``pending`` amounts are of
    those that go to a person, who may still allow them.
    """

    cases: int = 0
    old_eligible: int = 0
    new_eligible: int = 0
    old_fen: int = 0
    new_fen: int = 0
    old_pending_fen: int = 0
    new_pending_fen: int = 0

    def __add__(self, other: Cell) -> Cell:
        pairs = zip(self.numbers, other.numbers, strict=True)
        return Cell(*(a + b for a, b in pairs))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The counts in the order of the fields."""
        return (
            self.cases,
            self.old_eligible,
            self.new_eligible,
            self.old_fen,
            self.new_fen,
            self.old_pending_fen,
            self.new_pending_fen,
        )

    @property
    def moved_fen(self) -> int:
        """How much more (or, negative, less) money the eligible cases get."""
        return self.new_fen - self.old_fen


@dataclass(frozen=True)
class Flipped:
    """One case whose verdict changes, with the rules that do it."""

    id: int
    number: str
    old: str
    new: str
    rules: tuple[str, ...]
    old_fen: int | None
    new_fen: int | None


@dataclass(frozen=True)
class Tally:
    """What a policy does to a set of cases.

    ``flips`` counts (old verdict, new verdict); ``rules`` counts, per rule, the flips that it
    takes part in; ``groups`` holds the money by each of GROUPINGS; ``amounts_changed`` counts
    cases that keep their verdict and get another amount; ``sample`` names the first flips.
    """

    cases: int = 0
    amounts_changed: int = 0
    flips: Mapping[tuple[str, str], int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Cell]] = field(default_factory=dict)
    sample: tuple[Flipped, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            cases=self.cases + other.cases,
            amounts_changed=self.amounts_changed + other.amounts_changed,
            flips=_summed(self.flips, other.flips, 0),
            rules=_summed(self.rules, other.rules, 0),
            groups={
                name: _summed(self.groups.get(name, {}), other.groups.get(name, {}), Cell())
                for name in {**self.groups, **other.groups}
            },
            sample=tuple(sorted((*self.sample, *other.sample), key=lambda f: f.id)[:SAMPLE]),
        )

    @property
    def flipped(self) -> int:
        """How many cases change their verdict."""
        return sum(self.flips.values())

    @property
    def total(self) -> Cell:
        """All cases together."""
        return reduce(Cell.__add__, self.groups.get("scheme", {}).values(), Cell())

    def as_json(self) -> dict[str, Any]:
        """Plain JSON with sorted keys; equal tallies, equal JSON."""
        return {
            "cases": self.cases,
            "amounts_changed": self.amounts_changed,
            "flips": {f"{old}>{new}": n for (old, new), n in sorted(self.flips.items())},
            "rules": dict(sorted(self.rules.items())),
            "groups": {
                name: {key: list(cell.numbers) for key, cell in sorted(cells.items())}
                for name, cells in sorted(self.groups.items())
            },
            "sample": [
                [f.id, f.number, f.old, f.new, list(f.rules), f.old_fen, f.new_fen]
                for f in self.sample
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tally:
        """The tally that ``as_json`` wrote."""
        return cls(
            cases=data["cases"],
            amounts_changed=data["amounts_changed"],
            flips={_pair(key): n for key, n in data["flips"].items()},
            rules=dict(data["rules"]),
            groups={
                name: {key: Cell(*numbers) for key, numbers in cells.items()}
                for name, cells in data["groups"].items()
            },
            sample=tuple(
                Flipped(i, number, old, new, tuple(rules), old_fen, new_fen)
                for i, number, old, new, rules, old_fen, new_fen in data["sample"]
            ),
        )


def _pair(key: str) -> tuple[str, str]:
    old, _, new = key.partition(">")
    return old, new


def _summed(one: Mapping[Any, Any], other: Mapping[Any, Any], nothing: Any) -> dict[Any, Any]:
    return {key: one.get(key, nothing) + other.get(key, nothing) for key in {**one, **other}}


def merged(tallies: Iterable[Tally]) -> Tally:
    """The tally of all cases of ``tallies``."""
    return reduce(Tally.__add__, tallies, Tally())


Results = Mapping[str, str]


def tally(
    document: PolicyDocument,
    cases: Iterable[Case],
    before: Callable[[Case], Results] | None = None,
    told: Callable[[Case, Decision], None] | None = None,
) -> Tally:
    """Decide every case under ``document`` and count what differs from what was recorded.

    ``before`` gives the results, rule by rule, that a case had when it was decided. It is asked
    for flipped cases only, so it may be slow; without it a case that now passes names no rule.
    ``told`` hears every case with its decision, for those who count something else too.
    """
    count = _Count(before)
    for case in cases:
        decision = decide(document, fitting(case.facts, document), case.decided_on)
        if told is not None:
            told(case, decision)
        count.add(case, decision.verdict, decision.amount_fen, decision.results)
    return count.tally()


def fitting(facts: Mapping[str, Any], document: PolicyDocument) -> Mapping[str, Any]:
    """``facts`` without the answers to questions that another version asked."""
    cut = {}
    for root in ("answers", "declarations"):
        given, asked = facts.get(root), document.schema[root]
        known = asked.fields if isinstance(asked, Group) else {}
        if given and not given.keys() <= known.keys():
            cut[root] = {key: value for key, value in given.items() if key in known}
    return {**facts, **cut} if cut else facts


def year_of(case: Case) -> str:
    """The year whose budget a case falls on: its round's, or that of the decision."""
    year = (case.facts.get("round") or {}).get("year")
    return str(year or case.decided_on.year)


class _Count:
    """The tally while it grows: plain numbers, because a hundred thousand cases pass here."""

    def __init__(self, before: Callable[[Case], Results] | None) -> None:
        self.before = before
        self.cases = self.amounts_changed = 0
        self.flips: dict[tuple[str, str], int] = {}
        self.rules: dict[str, int] = {}
        self.groups: dict[str, dict[str, list[int]]] = {name: {} for name in GROUPINGS}
        self.sample: list[Flipped] = []

    def add(self, case: Case, verdict: str, amount: int | None, results: Results) -> None:
        self.cases += 1
        old_fen, old_pending = _money(case.verdict, case.amount_fen)
        new_fen, new_pending = _money(verdict, amount)
        numbers = (
            1,
            case.verdict == "eligible",
            verdict == "eligible",
            old_fen,
            new_fen,
            old_pending,
            new_pending,
        )
        places = (case.scheme, year_of(case), case.district or UNKNOWN, case.firm_size or UNKNOWN)
        for name, key in zip(GROUPINGS, places, strict=True):
            cell = self.groups[name].setdefault(key, [0] * len(numbers))
            for position, number in enumerate(numbers):
                cell[position] += number
        if verdict != case.verdict:
            self.flip(case, verdict, amount, results)
        elif (old_fen, old_pending) != (new_fen, new_pending):
            self.amounts_changed += 1

    def flip(self, case: Case, verdict: str, amount: int | None, results: Results) -> None:
        pair = (case.verdict, verdict)
        self.flips[pair] = self.flips.get(pair, 0) + 1
        rules = changed_rules(self.before(case) if self.before else {}, results)
        for rule in rules:
            self.rules[rule] = self.rules.get(rule, 0) + 1
        self.sample.append(
            Flipped(
                case.id,
                case.application_number,
                case.verdict,
                verdict,
                rules,
                case.amount_fen,
                amount,
            )
        )
        if len(self.sample) >= 2 * SAMPLE:
            self.sample = sorted(self.sample, key=lambda f: f.id)[:SAMPLE]

    def tally(self) -> Tally:
        return Tally(
            cases=self.cases,
            amounts_changed=self.amounts_changed,
            flips=self.flips,
            rules=self.rules,
            groups={
                name: {key: Cell(*numbers) for key, numbers in cells.items()}
                for name, cells in self.groups.items()
            },
            sample=tuple(sorted(self.sample, key=lambda f: f.id)[:SAMPLE]),
        )


def _money(verdict: str, amount: int | None) -> tuple[int, int]:
    """The amount as sure and as pending money; an ineligible case has neither."""
    amount = amount or 0
    return (
        amount if verdict == "eligible" else 0,
        amount if verdict == "needs_person" else 0,
    )


def changed_rules(old: Results, new: Results) -> tuple[str, ...]:
    """The rules whose result differs; a rule that one side lacks stands there as passed."""
    return tuple(
        rule
        for rule in dict.fromkeys((*new, *old))
        if old.get(rule, "pass") != new.get(rule, "pass")
    )
