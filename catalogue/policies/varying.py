"""Deciding a case again under a text that differs in some places: only what differs is run.

A rule or a step of the new text that stands in the old one word for word, over the same numbers,
steps and kinds of facts, comes out as it did. Values in, values out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from catalogue.policies.case import Case, results_of, verdict_of
from catalogue.policies.document import Line, Parameter, PolicyDocument, Portion, Rule
from catalogue.policies.expressions import Expression, Outcome
from catalogue.policies.facts import Group

_LETTERS = {"pass": "p", "fail": "f", "unknown": "u"}
_WORDS = {letter: word for word, letter in _LETTERS.items()}
# Why an unchanged step has no value does not matter to those that read it.
_NO_VALUE = Outcome(missing=("",))


class Standing(NamedTuple):
    """A decision in few bytes: one letter per rule and the fen of each step, as in the text.

    ``unshared`` says that the amount could not be split among those who get it.
    """

    verdict: str
    results: str
    lines: tuple[int | None, ...]
    unshared: bool

    @property
    def amount_fen(self) -> int | None:
        """The amount; None when it cannot be told, or there is none."""
        return self.lines[-1] if self.lines else None


def recorded(document: PolicyDocument, verdict: str, record: str) -> Standing | None:
    """How a case stood, out of the text of its record.

    Of an eligible case the end from the worksheet on is enough, since every rule passed. None
    when the record does not name the rules and steps of ``document``.
    """
    held = json.loads(record)
    letters = "p" * len(document.rules)
    unshared = False
    if verdict != "eligible":
        findings = held["findings"]
        if [finding["rule"] for finding in findings] != [rule.id for rule in document.rules]:
            return None
        letters = "".join(_LETTERS[finding["result"]] for finding in findings)
        unshared = any(share["amount_fen"] is None for share in held["shares"])
    if [line["id"] for line in held["worksheet"]] != [line.id for line in document.worksheet]:
        return None
    return Standing(
        verdict, letters, tuple(line["amount_fen"] for line in held["worksheet"]), unshared
    )


class Variation:
    """What has to be run to go from decisions under ``old`` to those under ``new``.

    Without ``old`` that is everything.
    """

    def __init__(self, old: PolicyDocument | None, new: PolicyDocument) -> None:
        self.new = new
        rules = [_rule(old, rule) for rule in old.rules] if old else []
        lines = _lines(old) if old else []
        split = [_portion(old, portion) for portion in old.split] if old else []
        self._rules = [_place(rules, _rule(new, rule)) for rule in new.rules]
        self._lines = [_place(lines, line) for line in _lines(new)]
        self._split = [_portion(new, portion) for portion in new.split] != split or (
            bool(new.split) and None in self._lines
        )
        # Another order of rules is told as changed: it costs a little, and needs no thought.
        self.same = (
            not self._split
            and self._rules == list(range(len(rules)))
            and self._lines == list(range(len(lines)))
        )
        self.part = replace(
            new,
            rules=_without(new.rules, self._rules),
            worksheet=_without(new.worksheet, self._lines),
            split=new.split if self._split else (),
        )

    @cached_property
    def roots(self) -> frozenset[str]:
        """The roots of facts that have to be at hand."""
        part = self.part
        read = part.deciding_reads.keys() & part.schema.keys()
        moving = part.continued is not None or part.has_formulas
        return frozenset(read | {"round"} if part.deciding and moving else read)

    def applied(self, before: Standing | None, facts: Mapping[str, Any], day: date) -> Standing:
        """How a case stands under the new text that stood at ``before`` under the old one."""
        kept = before or Standing("", "", (), unshared=False)
        if not self.part.deciding and not self._split:
            lines = tuple(kept.lines[place] for place in self._lines if place is not None)
            return self._stood(kept, iter(()), lines, unshared=self._unshared(kept))
        case = Case(self.part, facts, day, full=False)
        fresh = iter(results_of(case).values())
        lines = tuple(self._values(case, kept))
        unshared = self._unshared(kept)
        if self._split:
            shares, _ = case.portions(lines[-1] if lines else None)
            unshared = None in shares.values()
        case.close()
        return self._stood(kept, fresh, lines, unshared=unshared)

    def _unshared(self, kept: Standing) -> bool:
        return kept.unshared and bool(self.new.split)

    def _values(self, case: Case, kept: Standing) -> Iterator[int | None]:
        for line, place in zip(self.new.worksheet, self._lines, strict=True):
            if place is None:
                outcome = case.line(line)
                yield outcome.value if outcome.known else None
                continue
            value = kept.lines[place]
            if value is None:
                case.run.remember_missing(line.id, _NO_VALUE)
            else:
                case.run.remember(line.id, value)
            yield value

    def _stood(
        self, kept: Standing, fresh: Iterator[str], lines: tuple[int | None, ...], *, unshared: bool
    ) -> Standing:
        letters = "".join(
            _LETTERS[next(fresh)] if place is None else kept.results[place] for place in self._rules
        )
        leads = (
            (_WORDS[letter], rule.otherwise)
            for letter, rule in zip(letters, self.new.rules, strict=True)
        )
        untold = {"": None} if unshared else {}
        return Standing(verdict_of(leads, list(lines), untold), letters, lines, unshared)


def _place(known: Sequence[Any], wanted: Any) -> int | None:
    return known.index(wanted) if wanted in known else None


def _without(entries: tuple[Any, ...], places: list[int | None]) -> tuple[Any, ...]:
    """The entries that have no place in the old text."""
    return tuple(e for e, place in zip(entries, places, strict=True) if place is None)


# ------------------------------------------------------------------ on what a result rests


def _rule(document: PolicyDocument, rule: Rule) -> tuple[Any, ...]:
    applies = None if rule.applies is None else _expression(document, rule.applies)
    return applies, _expression(document, rule.require)


def _lines(document: PolicyDocument) -> list[tuple[Any, ...]]:
    """Each step with all the steps that it reads, however many there are between."""
    known: dict[str, tuple[Any, ...]] = {}
    for line in document.worksheet:
        read = tuple(known[path] for path in line.value.paths if path in known)
        known[line.id] = _line(document, line), read
    return list(known.values())


def _line(document: PolicyDocument, line: Line) -> tuple[Any, ...]:
    return line.id, _expression(document, line.value)


def _portion(document: PolicyDocument, portion: Portion) -> tuple[Any, ...]:
    read = None if portion.value is None else _expression(document, portion.value)
    return portion.id, read


def _expression(document: PolicyDocument, expression: Expression) -> tuple[Any, ...]:
    numbers = tuple(_number(document, name) for name in expression.parameters)
    kinds = tuple(_kind(document, path) for path in expression.paths)
    asks = "required_materials" in expression.paths
    return expression.text, numbers, kinds, document.required_materials if asks else ()


def _number(document: PolicyDocument, name: str) -> tuple[Any, ...]:
    """A parameter, and from which opening of a round another one takes its place."""
    continued = document.continued
    other = continued.parameters.get(name) if continued else None
    since = continued.since if continued and other else None
    return _value(document.parameters[name]), since, other and _value(other)


def _value(parameter: Parameter) -> tuple[str, str | None]:
    formula = parameter.formula
    return repr(parameter.value), None if formula is None else formula.text


def _kind(document: PolicyDocument, path: str) -> str | None:
    """The kind of a fact, which decides whether a value that was given is taken at all."""
    root, _, name = path.replace("[]", "").partition(".")
    group = document.schema.get(root)
    field = group.fields.get(name.partition(".")[0]) if isinstance(group, Group) else None
    return field.kind if field else None
