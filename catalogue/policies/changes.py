"""What could be different about a case: single steps, and who can take them.

Values in, values out. A step never touches what nobody can honestly change: the kind of the
product, the place of registration, dates that are past, amounts that are signed, earlier support.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from catalogue.policies.document import PolicyDocument
from catalogue.policies.facts import Field, Group, as_date, as_day

PLENTY_FEN = 100_000_000_000_00
YEAR = 365
MOST_YEARS = 6
MOST_LISTED = 12
FIRM, TIME = "firm", "time"

# What may be stated afresh when it is known already; anything else known stays as it is.
_REPAIRABLE = frozenset({"enterprise.credit_clear"})
# What another office must give first.
_OBTAINED = frozenset({"listing"})
# Only the portal's own records say these.
_RECORDS = frozenset({"history", "round", "application", "today"})
_WEIGHT = {
    "supply": 1,
    "attach": 2,
    "drop": 4,
    "fill": 5,
    "set": 6,
    "contract": 9,
    "patent": 11,
    "honour": 12,
    "wait": 20,
}
_STRINGS = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")


@dataclass(frozen=True)
class Case:
    """Facts and the day on which they are looked at."""

    facts: Mapping[str, Any]
    today: date


@dataclass(frozen=True)
class Step:
    """One thing that would differ.

    ``kind`` is supply, set, attach, fill, drop, contract, patent, honour or wait; ``place`` is
    the root and the field that it touches; ``index`` counts the items of a list from zero.
    ``value`` is a plain fact: fen, a day, a yes or no, or a tuple of them.
    """

    kind: str
    place: str
    value: Any = None
    index: int = -1

    @property
    def who(self) -> str:
        """Whether the firm can do it or only time."""
        return TIME if self.kind == "wait" else FIRM

    @property
    def weight(self) -> int:
        """How much it asks, to order sets of equal size."""
        return _WEIGHT[self.kind]

    @property
    def key(self) -> tuple[str, str, int]:
        """Two steps with one key exclude each other."""
        kind = "fill" if self.kind in ("fill", "supply") else self.kind
        return (kind, self.place, self.index)

    @property
    def root(self) -> str:
        """The part of the facts that it touches, as :func:`keys` names it."""
        if self.kind == "wait":
            return "time"
        head = self.place.partition(".")[0].partition("[")[0]
        return head if head in ("contracts", "patents", "materials") else self.place


def keys(paths: Iterable[str]) -> frozenset[str]:
    """Names under which the facts behind ``paths`` are changed; time is one of them."""
    found = set()
    for path in paths:
        head = path.partition(".")[0].removesuffix("[]")
        if head in ("today", "application", "round"):
            found.add("time")
        elif head in ("contracts", "patents", "materials"):
            found.add(head)
        elif head == "required_materials":
            found.add("materials")
        else:
            found.add(path.partition("[]")[0])
    return frozenset(found)


# ------------------------------------------------------------------ taking steps


def applied(case: Case, steps: Iterable[Step]) -> Case:
    """The case after all steps; waiting comes first, then what is filled, dropped and added."""
    order = {"wait": 0, "drop": 2, "contract": 3, "patent": 3}
    facts: dict[str, Any] = dict(case.facts)
    today, dropped = case.today, set()
    for step in sorted(steps, key=lambda s: (order.get(s.kind, 1), s.place, s.index)):
        if step.kind == "wait":
            facts, today = later(facts, step.value)
        elif step.kind == "drop":
            dropped.add(step.index)
        elif step.kind == "attach":
            facts["materials"] = [*(facts.get("materials") or []), *step.value]
        elif step.index >= 0:
            _fill(facts, step)
        elif step.kind in ("contract", "patent"):
            facts = {**facts, **_without(facts, dropped)}
            dropped = set()
            facts[step.place] = [*(facts.get(step.place) or []), dict(step.value)]
        else:
            root, _, field = step.place.partition(".")
            facts[root] = {**(facts.get(root) or {}), field: raw(step.value)}
    return Case({**facts, **_without(facts, dropped)}, today)


def _without(facts: Mapping[str, Any], dropped: set[int]) -> dict[str, Any]:
    if not dropped:
        return {}
    kept = [c for i, c in enumerate(facts["contracts"]) if i not in dropped]
    return {"contracts": kept}


def _fill(facts: dict[str, Any], step: Step) -> None:
    root, _, field = step.place.partition(".")
    items = list(facts[root])
    items[step.index] = {**items[step.index], field: raw(step.value)}
    facts[root] = items


def raw(value: Any) -> Any:
    """A step's value in the form that facts have."""
    return list(value) if isinstance(value, tuple) else value


def _years_on(day: int, years: int) -> int:
    then = as_date(day)
    try:
        return as_day(then.replace(year=then.year + years))
    except ValueError:
        return as_day(then.replace(year=then.year + years, day=28))


def later(facts: dict[str, Any], day: int) -> tuple[dict[str, Any], date]:
    """The facts on a later day; after the round's end, the same round a year or more on."""
    held = dict(facts.get("round") or {})
    closes, opens = held.get("closes_on"), held.get("opens_on")
    years = 0
    while closes is not None and day > _years_on(closes, years) and years < MOST_YEARS:
        years += 1
    if years:
        held = {name: _years_on(value, years) for name, value in held.items() if name != "year"}
        if "year" in (facts.get("round") or {}):
            held["year"] = facts["round"]["year"] + years
        if opens is not None:
            day = max(day, held["opens_on"])
    moved = {**facts, "round": held}
    if (facts.get("application") or {}).get("submitted_on") is not None:
        moved["application"] = {**facts["application"], "submitted_on": day}
    return moved, as_date(day)


def rounds_later(case: Case, day: int) -> int:
    """How many years the round had to be moved on for ``day``; 0 within the round itself."""
    before = (case.facts.get("round") or {}).get("closes_on")
    if before is None:
        return 0
    after: int = later(dict(case.facts), day)[0]["round"]["closes_on"]
    return as_date(after).year - as_date(before).year


# ------------------------------------------------------------------ what could be done


@dataclass(frozen=True)
class Reading:
    """What a rule, or the worksheet as a whole, reads: facts, parameters, and its texts."""

    id: str
    title: str
    paths: frozenset[str]
    parameters: frozenset[str]
    texts: tuple[str, ...]


class Possible:
    """The steps that are open to a case under a document, as bundles taken together."""

    def __init__(self, document: PolicyDocument, case: Case, rules: Sequence[Reading]) -> None:
        self.document = document
        self.case = case
        self.day = as_day(case.today)
        in_force = document.in_force(_opens_on(case))
        used = {name for rule in rules for name in rule.parameters}
        self.parameters = [p for name, p in in_force.items() if name in used]
        self.literals = {word for rule in rules for word in _literals(rule.texts)}
        self.literals |= {word for p in self.parameters for word in _words(p.value)}
        self.closes_on = (case.facts.get("round") or {}).get("closes_on")

    def bundles(self, paths: frozenset[str], *, past: bool = True) -> list[tuple[Step, ...]]:
        """Everything that may help a rule that reads ``paths``; ``past`` allows to look up what
        exists already and was not stated.
        """
        found: list[tuple[Step, ...]] = []
        names = keys(paths)
        for path in sorted(paths):
            head, _, field = path.partition(".")
            if field and "[]" not in head and head not in _RECORDS:
                found += [(step,) for step in self._scalar(head, field.partition("[]")[0])]
        if "materials" in names:
            found += self._materials(paths)
        if "contracts" in names:
            found += self._contracts(past=past)
        if "patents" in names:
            found += self._patents(past=past)
        if "time" in names:
            found += [(Step("wait", "time", day),) for day in self._days_to_wait()]
        unique = dict.fromkeys(bundle for bundle in found if bundle)
        return sorted(unique, key=lambda b: (len(b), sum(s.weight for s in b)))

    # -------------------------------------------------------------- single facts

    def _scalar(self, root: str, name: str) -> Iterator[Step]:
        group = self.document.schema.get(root)
        if not isinstance(group, Group) or group.many or name not in group.fields:
            return
        field, path = group.fields[name], f"{root}.{name}"
        known = (self.case.facts.get(root) or {}).get(name)
        if path == "enterprise.honours":
            for honour in sorted(self.literals - set(known or [])):
                yield Step("honour", path, (*(known or []), honour))
        elif known is None:
            kind = "set" if root in _OBTAINED else "supply"
            between = [10**n for n in range(4, 13, 2)] if field.kind == "money" else []
            for value in [*self._values(field, name), *between]:
                yield Step(kind, path, value)
        elif root in ("declarations", "answers") or path in _REPAIRABLE:
            # A date that is past is a fact; one that is ahead may still move.
            if field.kind == "date" and known < self.day:
                return
            for value in self._values(field, name):
                ahead = field.kind != "date" or value >= self.day
                if value != known and ahead:
                    yield Step("set", path, value)

    def _values(self, field: Field, name: str = "") -> list[Any]:  # noqa: PLR0911
        if field.kind == "boolean":
            return [True, False]
        options = next((a.options for a in self.document.answers if a.id == name), {})
        if options:
            return list(options)[:MOST_LISTED]
        if field.kind == "text":
            return sorted(self.literals)[:MOST_LISTED] or ["有"]
        if field.kind == "money":
            return self._amounts()
        if field.kind == "date":
            return self._dates()
        if field.kind == "count":
            counts = {p.value for p in self.parameters if p.kind == "count"}
            return sorted({0, 1, *(c for c in counts if isinstance(c, int))})
        return []

    def _amounts(self) -> list[int]:
        """Amounts that a text may ask for: its own, and plenty."""
        own = [
            p.value
            for p in self.parameters
            if p.kind == "money" and isinstance(p.value, int) and p.value > 0
        ]
        return [*sorted({*own, PLENTY_FEN}, reverse=True)[:6], 0]

    def _dates(self) -> list[int]:
        """Days to try: now, the end of the round, and the turns of the last years."""
        days = [self.day]
        if self.closes_on is not None:
            days.append(self.closes_on)
        year = (self.case.facts.get("round") or {}).get("year") or self.case.today.year
        own = [c.get(name) for c in self._listed() for name in ("signed_on", "invoiced_on")]
        past = [as_day(date(year - back, 6, 30)) for back in range(1, 6)]
        return list(dict.fromkeys([*days, *(d for d in own[:4] if d is not None), *past]))

    # -------------------------------------------------------------- lists

    def _materials(self, paths: Iterable[str]) -> Iterator[tuple[Step, ...]]:
        have = set(self.case.facts.get("materials") or [])
        wanted = tuple(m for m in self.document.required_materials if m not in have)
        if wanted:
            yield (Step("attach", "materials", wanted),)
        for material in self.document.materials:
            if material.id in self.literals and material.id not in have:
                yield (Step("attach", "materials", (material.id,)),)

    def _listed(self) -> list[Mapping[str, Any]]:
        return list(self.case.facts.get("contracts") or [])[:MOST_LISTED]

    def _contracts(self, *, past: bool) -> list[tuple[Step, ...]]:
        contracts = self._listed()
        group = self.document.schema["contracts"]
        assert isinstance(group, Group)
        found: list[tuple[Step, ...]] = [
            (Step("drop", "contracts", None, i),) for i in range(len(contracts))
        ]
        for name, field in group.fields.items():
            found += self._supplied(contracts, name, field)
        for i, contract in enumerate(contracts):
            found += [(step,) for step in self._dealt(i, contract)]
        paid = tuple(
            Step("fill", "contracts.received", c["amount"], i)
            for i, c in enumerate(contracts)
            if "amount" in c and c.get("received", 0) < c["amount"]
        )
        found.append(paid)
        found += self._kept_fewer(contracts)
        found += [(step,) for step in self._further(contracts, group, past=past)]
        return found

    def _supplied(
        self, contracts: list[Mapping[str, Any]], name: str, field: Field
    ) -> Iterator[tuple[Step, ...]]:
        lacking = [i for i, contract in enumerate(contracts) if name not in contract]
        if not lacking or (field.kind == "text" and name != "buyer_district"):
            return
        if field.kind == "money" and name == "received":
            yield tuple(
                Step("supply", f"contracts.{name}", contracts[i].get("amount", PLENTY_FEN), i)
                for i in lacking
            )
            return
        for value in self._values(field):
            yield tuple(Step("supply", f"contracts.{name}", value, i) for i in lacking)
        if field.kind == "date":
            signed = [(i, contracts[i].get("signed_on")) for i in lacking]
            if all(day is not None for _, day in signed):
                yield tuple(Step("supply", f"contracts.{name}", day, i) for i, day in signed)

    def _dealt(self, index: int, contract: Mapping[str, Any]) -> Iterator[Step]:
        """What can still be done about one contract: more is paid, or it is not signed yet."""
        amount, received = contract.get("amount"), contract.get("received")
        if amount is not None and received is not None and received < amount:
            yield Step("fill", "contracts.received", amount, index)
        signed = contract.get("signed_on")
        open_still = signed is not None and signed >= self.day
        for name in ("signed_on", "invoiced_on", "accepted_on"):
            day = contract.get(name)
            if day is None or day < self.day:
                open_still = open_still and day is None
                continue
            for other in self._dates():
                if other != day and other >= self.day:
                    yield Step("fill", f"contracts.{name}", other, index)
        if open_still and amount is not None:
            for other in self._amounts():
                if other != amount:
                    yield Step("fill", "contracts.amount", other, index)

    def _kept_fewer(self, contracts: list[Mapping[str, Any]]) -> Iterator[tuple[Step, ...]]:
        """Leaving out several at once: the smallest, the earliest or the latest ones."""
        count = len(contracts)
        orders = [
            sorted(range(count), key=lambda i: contracts[i].get("amount", 0)),
            sorted(
                range(count),
                key=lambda i: contracts[i].get("invoiced_on", contracts[i].get("signed_on", 0)),
            ),
            sorted(range(count), key=lambda i: contracts[i].get("signed_on", 0)),
        ]
        for order in orders:
            for leave in range(2, count):
                yield tuple(Step("drop", "contracts", None, i) for i in sorted(order[:leave]))
                yield tuple(Step("drop", "contracts", None, i) for i in sorted(order[-leave:]))

    def _further(
        self, contracts: list[Mapping[str, Any]], group: Group, *, past: bool
    ) -> Iterator[Step]:
        """One more contract, sound in every respect; only its amount and its days are open."""
        sound = {name: False for name, f in group.fields.items() if f.kind == "boolean"}
        for day in self._dates()[:8]:
            if day < self.day and not past:
                continue
            for amount in self._amounts()[:2]:
                yield Step("contract", "contracts", further_contract(sound, amount, day))

    def _patents(self, *, past: bool) -> Iterator[tuple[Step, ...]]:
        kinds = sorted(self.literals & set(PATENT_WORDS)) or ["invention"]
        for kind in kinds:
            for day in self._dates():
                if past or day >= self.day:
                    yield (Step("patent", "patents", further_patent(kind, day)),)
        for i, patent in enumerate(list(self.case.facts.get("patents") or [])[:MOST_LISTED]):
            if "holder_matches" not in patent:
                yield (Step("supply", "patents.holder_matches", True, i),)

    def _days_to_wait(self) -> Iterator[int]:
        if self.closes_on is None:
            for years in range(1, MOST_YEARS):
                yield self.day + years * YEAR
            return
        if self.closes_on > self.day:
            yield self.closes_on
        opens = (self.case.facts.get("round") or {}).get("opens_on", self.closes_on)
        for years in range(1, MOST_YEARS):
            day = _years_on(opens, years)
            if day > self.day and self.document.covers(as_date(day)):
                yield day


PATENT_WORDS = {
    "invention": "发明专利",
    "utility": "实用新型",
    "copyright": "软件著作权",
    "layout": "集成电路布图设计",
}


def further_contract(
    sound: Mapping[str, bool], amount: int, day: int
) -> tuple[tuple[str, Any], ...]:
    """The facts of one more contract, paid in full, signed, invoiced and accepted on one day."""
    facts: dict[str, Any] = {
        "number": "另一合同",
        "buyer": "另一买方",
        **sound,
        "amount": amount,
        "received": amount,
        "quantity": 1,
        "signed_on": day,
        "invoiced_on": day,
        "accepted_on": day,
    }
    return tuple(sorted(facts.items()))


def further_patent(kind: str, day: int) -> tuple[tuple[str, Any], ...]:
    """The facts of one more right of the firm's own."""
    facts = {
        "number": "另一件",
        "kind": kind,
        "granted_on": day,
        "holder_matches": True,
        "other_products": 0,
    }
    return tuple(sorted(facts.items()))


def _opens_on(case: Case) -> date:
    opens = (case.facts.get("round") or {}).get("opens_on")
    return case.today if opens is None else as_date(opens)


def _literals(texts: Iterable[str]) -> set[str]:
    return {a or b for text in texts for a, b in _STRINGS.findall(text)} - {""}


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


# ------------------------------------------------------------------ exact values


@dataclass(frozen=True)
class Span:
    """The values of a step's number that do as well: from ``low`` to ``high``, None is open."""

    low: int | None = None
    high: int | None = None


def with_number(step: Step, number: int, name: str = "") -> Step:
    """The step with another amount or day; ``name`` says which one of a further contract."""
    if step.kind == "contract":
        facts = dict(step.value)
        if name == "amount":
            facts |= {"amount": number, "received": number}
        else:
            facts |= {"signed_on": number, "invoiced_on": number, "accepted_on": number}
        return replace(step, value=tuple(sorted(facts.items())))
    if step.kind == "patent":
        return replace(step, value=further_patent(dict(step.value)["kind"], number))
    return replace(step, value=number)
