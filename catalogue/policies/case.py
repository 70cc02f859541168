"""One case under one policy: the decision itself, of which reports and back-tests are made."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalogue.policies.document import Line, PolicyDocument, Rule
from catalogue.policies.expressions import Expression, Machine, Outcome, Run
from catalogue.policies.facts import MAX_FEN, MAX_ITEMS, as_date, as_day, cleaned
from catalogue.policies.report import Decision

MOST_KEPT = 64
TOO_LARGE = "结果为负或过大"
NOT_WHOLE = "各份之和与金额不等"

log = logging.getLogger("catalogue.policies.rules")


@dataclass(frozen=True)
class InForce:
    """The parameters of a round: values as expressions read them, and those without one."""

    key: tuple[Any, ...]
    values: Mapping[str, Any]
    lost: Mapping[str, Outcome]
    placeholders: frozenset[str]


def in_force(document: PolicyDocument, opened: Mapping[str, Any], opens_on: date) -> InForce:
    """The parameters for a round that opens on ``opens_on``; kept for the next case of it."""
    moving = document.is_continued(opens_on), tuple(sorted(opened.items()))
    key = moving if document.has_formulas else moving[:1]
    kept: dict[Any, InForce] = document.kept.setdefault("in_force", {})
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        found = kept[key] = _worked_out(document, opened, opens_on, key)
    return found


def _worked_out(
    document: PolicyDocument, opened: Mapping[str, Any], opens_on: date, key: tuple[Any, ...]
) -> InForce:
    parameters = document.in_force(opens_on)
    run = Run({"round": opened}, document.schema, {})
    values: dict[str, Any] = {}
    lost: dict[str, Outcome] = {}
    for name, parameter in parameters.items():
        if parameter.formula is None:
            values[name] = parameter.value
            continue
        outcome = run.run(parameter.formula)
        if outcome.known:
            values[name] = outcome.value
        else:
            lost[name] = Outcome(missing=outcome.missing or (parameter.label,))
    placeholders = frozenset(name for name, p in parameters.items() if p.placeholder)
    return InForce(key, values, lost, placeholders)


# ------------------------------------------------------------------ facts for CEL


def _only(value: Any, wanted: Mapping[str, Any]) -> Any:
    """The part of a fact that is read: handing over the rest would only cost time."""
    if isinstance(value, Mapping):
        return {
            name: _only(value[name], inner) if inner else value[name]
            for name, inner in wanted.items()
            if name in value
        }
    if isinstance(value, list):
        return [
            {name: item[name] for name in wanted if name in item}
            if isinstance(item, Mapping)
            else item
            for item in value
        ]
    return value


class Case:
    """Facts under a document on a day, ready to be asked rule by rule; never raises on facts.

    ``full`` hands every fact to CEL, for the words of a report; without it only those that
    decide. Close it when it has been asked, so that the next case can use its machine.
    """

    def __init__(
        self,
        document: PolicyDocument,
        facts: Mapping[str, Any],
        today: date,
        *,
        full: bool,
        clean: bool = False,
    ) -> None:
        self.document = document
        self.problems: tuple[str, ...] = ()
        too_long: frozenset[str] = frozenset()
        if full and not clean:
            facts, self.problems = cleaned(given := facts, document.schema)
            too_long = _too_long(given) if self.problems else too_long
        elif not clean:
            facts, _ = cleaned(facts, document.deciding_schema)
        self.facts = facts
        opened = facts["round"]
        opens_on = opened.get("opens_on")
        self.opens_on = today if opens_on is None else as_date(opens_on)
        self.in_force = in_force(document, opened, self.opens_on)
        handed = facts if full else _only(facts, document.deciding_reads)
        key = (self.in_force.key, full, frozenset(handed))
        self._machines = self._pool(key)
        self._machine = self._machines.pop() if self._machines else self._new_machine()
        self._machine.take({**handed, "today": as_day(today)})
        variables = {**facts, "p": self.in_force.values}
        self.run = Run(facts, document.schema, variables, self._machine, too_long)

    def _pool(self, key: tuple[Any, ...]) -> list[Machine]:
        """Machines that are free: one case after another uses them, in any thread."""
        pools: dict[Any, list[Machine]] = self.document.kept.setdefault("machines", {})
        if key not in pools and len(pools) >= MOST_KEPT:
            pools.clear()
        return pools.setdefault(key, [])

    def _new_machine(self) -> Machine:
        materials = list(self.document.required_materials)
        return Machine({"p": self.in_force.values, "required_materials": materials})

    def measured(self, program: Any) -> list[int]:
        """The whole numbers that a difference gives, one per item of the lists it walks."""
        try:
            found = program.execute(self._machine.context)
        except Exception:
            return []
        return [value for value in _flat(found) if _whole(value)]

    def close(self) -> None:
        """Give the machine back."""
        self._machines.append(self._machine)

    # ---- asking

    def outcome(self, expression: Expression) -> Outcome:
        """Run an expression; a parameter that could not be computed makes it unknown."""
        lost = self.in_force.lost
        if lost:
            for name in expression.parameters:
                if name in lost:
                    return lost[name]
        return self.run.run(expression)

    def rule(self, rule: Rule) -> tuple[str, Outcome]:
        """pass, fail, unknown or apart (it does not apply), and what it was decided by."""
        if rule.applies is not None:
            scope = self.outcome(rule.applies)
            if not scope.known:
                return "unknown", scope
            if scope.value is not True:
                return "apart", scope
        outcome = self.outcome(rule.require)
        if not outcome.known:
            return "unknown", outcome
        if not isinstance(outcome.value, bool):
            return "unknown", Outcome(error="the rule did not give true or false")
        return ("pass" if outcome.value else "fail"), outcome

    def line(self, line: Line) -> Outcome:
        """The value of a worksheet step in fen, remembered for the steps after it."""
        outcome = self.outcome(line.value)
        value = outcome.value
        if outcome.known and not (_whole(value) and 0 <= value < MAX_FEN):
            outcome = Outcome(error=TOO_LARGE)
        if outcome.known:
            self.run.remember(line.id, value)
        else:
            told = outcome if outcome.error is None else Outcome(missing=(line.label.text,))
            self.run.remember_missing(line.id, told)
        return outcome

    def portions(self, amount: int | None) -> tuple[dict[str, int | None], str | None]:
        """Portion id → fen, all None when they cannot be told, and an error of the rule."""
        nothing: dict[str, int | None] = {p.id: None for p in self.document.split}
        if amount is None or not nothing:
            return nothing, None
        found, left = dict(nothing), amount
        for portion in self.document.split:
            outcome = self.outcome(portion.value) if portion.value else Outcome(value=left)
            if not outcome.known:
                return nothing, outcome.error
            if not (_whole(outcome.value) and 0 <= outcome.value <= left):
                return nothing, NOT_WHOLE
            found[portion.id] = outcome.value
            left -= outcome.value
        return (found, None) if left == 0 else (nothing, NOT_WHOLE)


def _flat(value: Any) -> list[Any]:
    return [v for item in value for v in _flat(item)] if isinstance(value, list) else [value]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _too_long(facts: Mapping[str, Any]) -> frozenset[str]:
    """Lists with more items than one case may bring; they are not used at all."""
    found = {name for name, value in facts.items() if _long(value)}
    history = facts.get("history")
    if isinstance(history, Mapping):
        found |= {f"history.{name}" for name, value in history.items() if _long(value)}
    return frozenset(found)


def _long(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > MAX_ITEMS


def verdict_of(
    results: Iterable[tuple[str, str]],
    amounts: list[int | None],
    shares: Mapping[str, int | None],
) -> str:
    """eligible, ineligible or needs_person.

    ``results`` are each rule's result and what its failure leads to; ``amounts`` the worksheet.
    """
    leads = {otherwise if result == "fail" else result for result, otherwise in results} - {"pass"}
    if "ineligible" in leads:
        return "ineligible"
    untold = bool(amounts and amounts[-1] is None) or None in shares.values()
    return "needs_person" if leads or untold else "eligible"


def results_of(case: Case) -> dict[str, str]:
    """Rule id → pass, fail or unknown; a rule that does not apply passes."""
    document = case.document
    # Most cases pass everything, which one question tells sooner than one per rule.
    if document.all_rules and case.run.true(document.all_rules):
        return dict.fromkeys((rule.id for rule in document.rules), "pass")
    found = {}
    for rule in document.rules:
        result, _ = case.rule(rule)
        found[rule.id] = "pass" if result == "apart" else result
    return found


def decision_of(case: Case) -> Decision:
    """The whole decision of a case."""
    document = case.document
    results = results_of(case)
    outcomes = map(case.line, document.worksheet)
    amounts = [outcome.value if outcome.known else None for outcome in outcomes]
    amount = amounts[-1] if amounts else None
    shares, _ = case.portions(amount)
    leads = [(results[rule.id], rule.otherwise) for rule in document.rules]
    return Decision(verdict_of(leads, amounts, shares), amount, results, shares)
