"""The nearest way to pass: the smallest set of changes after which a case would be eligible.

Values in, values out. Thresholds are found by trying, never by reading the rules: a candidate
that helps is made exact by halving, to the fen and to the day, and every answer is decided again
before it is given, as is every smaller part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from itertools import combinations
from typing import Any

from catalogue.policies.advice import Speaker
from catalogue.policies.changes import (
    MOST_LISTED,
    PLENTY_FEN,
    Case,
    Possible,
    Reading,
    Span,
    Step,
    applied,
    keys,
    with_number,
)
from catalogue.policies.document import PolicyDocument
from catalogue.policies.expressions import Expression
from catalogue.policies.facts import Group, as_day, cleaned
from catalogue.policies.rules import Decision, decide

MOST_TRIALS = 900
LEAST_TRIALS = 40
TRIALS_TO_BE_EXACT = 400
MOST_PAIRS = 260
MOST_TRIPLES = 160
POOL = 14
WHOLLY_CHECKED = 6
AMOUNT = "$amount"
FAR = 20 * 366

Steps = frozenset[Step]


@dataclass(frozen=True)
class Change:
    """One step in words; ``place`` is the part of the portal where it is stated.

    ``exists`` says that it can only be something that is there already and was not stated.
    """

    says: str
    place: str
    step: Step
    exists: bool = False


@dataclass(frozen=True)
class Nearest:
    """The nearest way of one case.

    ``verdict`` is what the case becomes: eligible, needs_person when only people can decide the
    rules in ``people``, or ineligible when nothing within reach meets the rules in ``unmet``
    (then there are no changes). ``since`` is the first day on which it passes when waiting is
    part of it. ``otherwise`` is the way of somebody who has no earlier contract or patent to add.
    """

    verdict: str
    firm: tuple[Change, ...] = ()
    time: tuple[Change, ...] = ()
    meets: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    amount_fen: int | None = None
    since: date | None = None
    otherwise: Nearest | None = None

    @property
    def steps(self) -> Steps:
        """All steps, for whoever decides the case again."""
        return frozenset(change.step for change in (*self.firm, *self.time))


class _Spent(Exception):
    """The trials are used up."""


class _Search:
    """One search: trials are remembered by the steps that were taken."""

    def __init__(self, document: PolicyDocument, facts: Mapping[str, Any], today: date) -> None:
        self.document = document
        self.case = Case(cleaned(facts, document.schema)[0], today)
        self.readings = {r.id: r for r in _readings(document)}
        self.fatal = {r.id for r in document.rules if r.otherwise == "ineligible"}
        # A decision takes as long as its contracts are many, so they share the trials.
        listed = len(self.case.facts.get("contracts") or [])
        self.most = max(LEAST_TRIALS, MOST_TRIALS // (1 + listed // MOST_LISTED))
        self.trials = 0
        self.tried: dict[Steps, dict[str, str]] = {}
        self.amounts: dict[Steps, int] = {}
        self.first = self.decision(frozenset())
        self.base = self.results(frozenset())

    def decision(self, steps: Steps) -> Decision:
        """The decision after ``steps``."""
        case = applied(self.case, steps)
        return decide(self.document, case.facts, case.today, clean=True)

    def results(self, steps: Steps) -> dict[str, str]:
        """The rules that do not pass after ``steps``, each with its result."""
        if steps not in self.tried:
            if self.trials >= self.most:
                raise _Spent
            self.trials += 1
            decision = self.first if not steps else self.decision(steps)
            bad = {rule: result for rule, result in decision.results.items() if result != "pass"}
            if self.document.worksheet and decision.amount_fen is None:
                bad[AMOUNT] = "unknown"
            self.tried[steps] = bad
            self.amounts[steps] = decision.amount_fen or 0
        return self.tried[steps]

    def stops(self, bad: Mapping[str, str]) -> set[str]:
        """Those of ``bad`` that make a case ineligible."""
        return {rule for rule, result in bad.items() if result == "fail" and rule in self.fatal}

    # -------------------------------------------------------------- finding

    def components(self) -> list[set[str]]:
        """The bad rules, grouped so that no two groups depend on the same facts."""
        groups: list[tuple[set[str], set[str]]] = []
        for rule in self.base:
            names = set(keys(self.readings[rule].paths))
            rules = {rule}
            apart = []
            for other_rules, other_names in groups:
                if names & other_names:
                    rules |= other_rules
                    names |= other_names
                else:
                    apart.append((other_rules, other_names))
            groups = [*apart, (rules, names)]
        return [rules for rules, _ in groups]

    def solve(self, wanted: set[str], *, past: bool) -> Steps | None:
        """The smallest set of at most three bundles after which ``wanted`` pass and nothing new
        fails; None when there is none.
        """
        rules = [self.readings[rule] for rule in sorted(wanted)]
        possible = Possible(self.document, self.case, rules)
        paths = frozenset(path for rule in rules for path in rule.paths)
        bundles = [frozenset(bundle) for bundle in possible.bundles(paths, past=past)]
        rank = {bundle: place for place, bundle in enumerate(bundles)}
        sizes = [list(rank.items())]
        for sets in sizes:
            found = self.first_good(sets, wanted)
            if found is not None:
                return found
            if len(sizes) == 1:
                useful = self.useful(bundles)
                sizes.append(_combined(useful, rank, 2)[:MOST_PAIRS])
                sizes.append(_combined(useful[:POOL], rank, 3)[:MOST_TRIPLES])
        return None

    def first_good(self, sets: list[tuple[Steps, int]], wanted: set[str]) -> Steps | None:
        """The lightest set that is good; among equals the one that leaves the most money."""
        best: list[Steps] = []
        weight: tuple[int, int] | None = None
        for steps, _ in sorted(sets, key=lambda pair: (*_weight(pair[0]), pair[1])):
            if weight is not None and _weight(steps) != weight:
                break
            if self.good(steps, wanted):
                weight = _weight(steps)
                best.append(steps)
        return max(best, key=lambda steps: self.amounts[steps]) if best else None

    def useful(self, bundles: list[Steps]) -> list[Steps]:
        """What changes something alone is worth combining; leaving out contracts, and adding
        one, often help only together.
        """
        kept = [
            b
            for b in bundles
            if self.results(b) != self.base
            or all(s.kind in ("drop", "contract", "patent") for s in b)
        ]
        return sorted(kept, key=lambda b: (len(self.worse(b)), len(self.results(b)), *_weight(b)))

    def worse(self, steps: Steps) -> set[str]:
        """Rules that did not trouble the case and would after ``steps``."""
        return set(self.results(steps)) - set(self.base)

    def good(self, steps: Steps, wanted: set[str]) -> bool:
        """Whether ``wanted`` pass after ``steps`` and nothing that passed is lost."""
        after = self.results(steps)
        if not after.keys() & wanted and not self.worse(steps):
            return not self.stops(after) - self.stops(self.base)
        return False

    # -------------------------------------------------------------- making it exact

    def least(self, steps: Steps, allowed: Callable[[Steps], bool]) -> Steps:
        """``steps`` without what is not needed."""
        again = True
        while again:
            again = False
            for step in sorted(steps, key=lambda s: (-s.weight, s.place, s.index)):
                if allowed(steps - {step}):
                    steps, again = steps - {step}, True
                    break
        if len(steps) <= WHOLLY_CHECKED:
            for size in range(len(steps)):
                for part in combinations(sorted(steps, key=repr), size):
                    if allowed(frozenset(part)):
                        return frozenset(part)
        return steps

    def exact(
        self, steps: Steps, allowed: Callable[[Steps], bool]
    ) -> tuple[Steps, dict[Step, dict[str, Span]]]:
        """Numbers as small as they may be, and the spans within which days may lie."""
        spans: dict[Step, dict[str, Span]] = {}
        for step in sorted(steps, key=lambda s: (s.kind == "wait", s.place, s.index)):
            rest = steps - {step}

            def passes(other: Step, rest: Steps = rest) -> bool:
                return allowed(rest | {other})

            made, found = self._exact_step(step, passes)
            steps = rest | {made}
            spans[made] = found
        return steps, spans

    def _exact_step(  # noqa: PLR0911
        self, step: Step, passes: Callable[[Step], bool]
    ) -> tuple[Step, dict[str, Span]]:
        today = as_day(self.case.today)
        if step.kind == "wait":
            first = _edge(today, step.value, lambda n: passes(with_number(step, n)))
            return with_number(step, first), {}
        if step.kind == "contract":
            amount = dict(step.value)["amount"]
            floor = _edge(-1, amount, lambda n: n >= 0 and passes(with_number(step, n, "amount")))
            made = with_number(step, floor, "amount")
            day = dict(made.value)["signed_on"]
            return made, {"day": self._span(day, lambda n: passes(with_number(made, n, "day")))}
        if step.kind == "patent":
            day = dict(step.value)["granted_on"]
            return step, {"day": self._span(day, lambda n: passes(with_number(step, n)))}
        kind = self._kind(step)
        if kind == "date":
            span = self._span(step.value, lambda n: passes(with_number(step, n)))
            if step.kind != "supply":
                span = replace(span, low=max(today, span.low or today))
            return step, {"day": span}
        if kind == "boolean" and step.kind == "supply":
            either = passes(replace(step, value=not step.value))
            return step, {"either": Span()} if either else {}
        if kind not in ("money", "count"):
            return step, {}
        now = self._now(step)
        if now is not None:
            near = _edge(now, step.value, lambda n: passes(with_number(step, n)))
            return with_number(step, near), {}
        low, high = (
            None if passes(with_number(step, end)) else self._bound(end, step, passes)
            for end in (0, PLENTY_FEN)
        )
        return step if low is None else with_number(step, low), {"amount": Span(low, high)}

    @staticmethod
    def _bound(end: int, step: Step, passes: Callable[[Step], bool]) -> int:
        return _edge(end, step.value, lambda n: passes(with_number(step, n)))

    def _kind(self, step: Step) -> str:
        root, _, name = step.place.partition(".")
        group = self.document.schema.get(root)
        known = isinstance(group, Group) and name in group.fields
        return group.fields[name].kind if known and isinstance(group, Group) else ""

    def _now(self, step: Step) -> int | None:
        root, _, name = step.place.partition(".")
        held = self.case.facts.get(root) or {}
        return held[step.index].get(name) if step.index >= 0 else held.get(name)

    @staticmethod
    def _span(day: int, passes: Callable[[int], bool]) -> Span:
        low = None if passes(day - FAR) else _edge(day - FAR, day, passes)
        high = None if passes(day + FAR) else _edge(day + FAR, day, passes)
        return Span(low, high)


def _edge(bad: int, good: int, passes: Callable[[int], bool]) -> int:
    """The number nearest to ``bad`` that passes, between it and ``good``, by halving."""
    while abs(good - bad) > 1:
        middle = (good + bad) // 2
        if passes(middle):
            good = middle
        else:
            bad = middle
    return good


def _weight(steps: Steps) -> tuple[int, int]:
    return (len(steps), sum(step.weight for step in steps))


def _combined(pool: list[Steps], rank: Mapping[Steps, int], size: int) -> list[tuple[Steps, int]]:
    """Every agreeing union of ``size`` bundles, the lightest first, with its place in line."""
    made: dict[Steps, int] = {}
    for chosen in combinations(pool, size):
        union = frozenset().union(*chosen)
        if _agree(union):
            made.setdefault(union, sum(rank[bundle] for bundle in chosen))
    return sorted(made.items(), key=lambda pair: (*_weight(pair[0]), pair[1]))


def _agree(steps: Steps) -> bool:
    """Whether no two steps answer the same question, and none touches what another drops."""
    if len({step.key for step in steps}) < len(steps):
        return False
    dropped = {step.index for step in steps if step.kind == "drop"}
    return not any(
        step.index in dropped and step.kind != "drop" and step.root == "contracts" for step in steps
    )


def _readings(document: PolicyDocument) -> Iterable[Reading]:
    """What each rule reads, and the worksheet as one; formulas count as what they read."""

    def reading(name: str, title: str, parts: Sequence[Any]) -> Reading:
        found = [e for part in parts for e in _expressions(part)]
        names = {n for e in found for n in e.parameters}
        formulas = [p.formula for n in names if (p := _parameter(document, n)) and p.formula]
        paths = {p for e in [*found, *formulas] for p in e.paths if not p.startswith("p.")}
        return Reading(
            name, title, frozenset(paths), frozenset(names), tuple(e.text for e in found)
        )

    for rule in document.rules:
        yield reading(rule.id, rule.title, [rule])
    yield reading(AMOUNT, "金额测算", document.worksheet)


def _parameter(document: PolicyDocument, name: str) -> Any:
    continued = document.continued.parameters if document.continued else {}
    return continued.get(name) or document.parameters.get(name)


def _expressions(part: Any) -> list[Expression]:
    """The expressions by which a rule or a worksheet line is decided, not those of its words."""
    values = [getattr(part, field.name) for field in fields(part)]
    return [value for value in values if isinstance(value, Expression)]


# ------------------------------------------------------------------ the answer


def nearest(document: PolicyDocument, facts: Mapping[str, Any], today: date) -> Nearest | None:
    """The nearest way for a case that does not simply pass; None for one that does.

    ``facts`` follow the schema as for :func:`catalogue.policies.rules.evaluate`. The work is
    bounded by MOST_TRIALS decisions; what is not found within them counts as out of reach.
    """
    search = _Search(document, facts, today)
    if not search.base:
        return None
    found = _way(search, past=True)
    if not any(change.exists for change in found.firm):
        return found
    other = _way(search, past=False)
    return replace(found, otherwise=other) if other.firm or other.time else found


def _way(search: _Search, *, past: bool) -> Nearest:
    steps: Steps = frozenset()
    left: set[str] = set()
    search.trials = 0
    try:
        for component in search.components():
            found = search.solve(component, past=past)
            stops = search.stops(search.base) & component
            if found is None and stops and stops != component:
                found = search.solve(stops, past=past)
                left |= component - stops
            elif found is None:
                left |= component
            steps |= found or frozenset()
        return _told(search, steps, left)
    except _Spent:
        return _out_of_reach(search, set(search.base))


def _out_of_reach(search: _Search, left: set[str]) -> Nearest:
    stops = search.stops(search.base) & left
    unmet = tuple(r.title for r in search.document.rules if r.id in stops)
    if unmet:
        return Nearest("ineligible", unmet=unmet)
    people, first = _titles(search, left), search.first
    return Nearest(first.verdict, people=people, amount_fen=first.amount_fen)


def _titles(search: _Search, rules: Iterable[str]) -> tuple[str, ...]:
    return tuple(r.title for name, r in search.readings.items() if name in set(rules))


def _told(search: _Search, steps: Steps, left: set[str]) -> Nearest:
    """The found steps, made least and exact, decided once more and put into words."""
    if search.stops(search.base) & left or not steps:
        return _out_of_reach(search, left)
    whole = set(search.results(steps))
    if whole - left:
        # Parts that were found apart disturb each other.
        together = search.solve(set(search.base) - left, past=True)
        if together is None:
            return _out_of_reach(search, set(search.base))
        steps = together
        whole = set(search.results(steps))

    def allowed(other: Steps) -> bool:
        return _agree(other) and set(search.results(other)) <= whole

    search.trials = 0
    steps = search.least(steps, allowed)
    search.trials = -TRIALS_TO_BE_EXACT
    steps, spans = search.exact(steps, allowed)
    after = search.decision(steps)
    read = frozenset(fact for r in search.document.rules for fact in _facts_read(r))
    speaker = Speaker(search.document, search.case, read)
    ordered = sorted(steps, key=lambda s: (s.weight, s.place, s.index))
    changes = [
        Change(speaker.say(s, spans[s]), s.root, s, speaker.exists(s, spans[s])) for s in ordered
    ]
    waits = [s for s in ordered if s.kind == "wait"]
    return Nearest(
        verdict=after.verdict,
        firm=tuple(c for c in changes if c.step.who == "firm"),
        time=tuple(c for c in changes if c.step.who == "time"),
        meets=_titles(search, set(search.base) - whole),
        people=_titles(search, whole),
        amount_fen=after.amount_fen,
        since=applied(search.case, waits).today if waits else None,
    )


def _facts_read(rule: Any) -> Iterable[str]:
    """The facts that a rule is decided by, as the places of steps name them."""
    for expression in _expressions(rule):
        yield from (fact.replace("[]", "") for fact in expression.facts)
