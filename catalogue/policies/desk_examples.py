"""The examples of a draft: what each expects and gets, and how they follow a changed threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from catalogue.money import money_text
from catalogue.policies.desk_text import Path, rewritten
from catalogue.policies.document import Example, PolicyDocument
from catalogue.policies.example_facts import merged, with_units
from catalogue.policies.reading import parse
from catalogue.policies.rules import Report, evaluate
from catalogue.policies.source import read

RESULTS = {"pass": "符合", "fail": "不符", "unknown": "无法判定"}
VERDICTS = {"eligible": "符合", "ineligible": "不符合", "needs_person": "转人工"}
CENT, DAY = Decimal("0.01"), timedelta(days=1)
MAX_TRIALS = 60


@dataclass(frozen=True)
class Check:
    """One expectation of an example: what of, expected and got in words, and whether they agree."""

    what: str
    expected: str
    got: str
    agrees: bool


@dataclass(frozen=True)
class ExampleOutcome:
    """One example with its checks; ``position`` counts from zero in the file."""

    position: int
    name: str
    line: int
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether everything came out as expected."""
        return all(check.agrees for check in self.checks)


def outcomes(document: PolicyDocument) -> list[ExampleOutcome]:
    """Every example of a document, run."""
    return [
        ExampleOutcome(i, example.name, example.line, tuple(_checks(document, example)))
        for i, example in enumerate(document.examples)
    ]


def _run(document: PolicyDocument, example: Example) -> Report:
    return evaluate(document, example.facts, example.today)


def _checks(document: PolicyDocument, example: Example) -> Iterator[Check]:
    report = _run(document, example)
    found = {finding.rule: finding for finding in report.findings}
    for rule, expected in example.expect.items():
        got = found[rule].result
        yield Check(found[rule].title, RESULTS[expected], RESULTS[got], expected == got)
    if example.verdict is not None:
        yield Check(
            "结论",
            VERDICTS[example.verdict],
            VERDICTS[report.verdict],
            example.verdict == report.verdict,
        )
    if example.amount_fen is not None:
        yield Check(
            "金额",
            _money(example.amount_fen),
            _money(report.amount_fen),
            example.amount_fen == report.amount_fen,
        )
    for share in report.shares:
        if share.id in example.shares:
            wanted = example.shares[share.id]
            agrees = wanted == share.amount_fen
            yield Check(f"{share.label}一份", _money(wanted), _money(share.amount_fen), agrees)


def _money(fen: int | None) -> str:
    return "算不出" if fen is None else f"{money_text(fen)} 元"


def _yuan(fen: int | None) -> Decimal | None:
    return None if fen is None else (Decimal(fen) / 100).quantize(CENT)


def accepted(text: str, positions: Iterable[int]) -> str:
    """``text`` in which the examples at ``positions`` expect what they now get.

    Raises PolicyRefused when the text cannot be read, CannotWrite when a place cannot be changed.
    """
    document = parse(text)
    wanted = set(positions)
    changes: dict[Path, Any] = {}
    for i, example in enumerate(document.examples):
        if i not in wanted:
            continue
        report = _run(document, example)
        results = {finding.rule: finding.result for finding in report.findings}
        for rule, expected in example.expect.items():
            if results[rule] != expected:
                changes["examples", i, "expect", rule] = results[rule]
        if example.verdict not in (None, report.verdict):
            changes["examples", i, "verdict"] = report.verdict
        if example.amount_fen not in (None, report.amount_fen):
            changes["examples", i, "amount"] = _yuan(report.amount_fen)
        for share in report.shares:
            if example.shares.get(share.id, share.amount_fen) != share.amount_fen:
                changes["examples", i, "shares", share.id] = _yuan(share.amount_fen)
    return rewritten(text, changes) if changes else text


# ------------------------------------------------------------------ following a threshold


def moved_along(text: str, changes: Mapping[Path, tuple[Any, Any]]) -> tuple[str, list[str]]:
    """``text`` whose boundary examples follow the changed values, and the names of those.

    ``changes`` gives old and new plain value by path. An example that no longer gives the results
    it expects is touched when one shifted value of its own facts makes it do so; one that still
    does, only when it speaks of a rule with that threshold and stands right beside it.
    """
    shifts = list(_shifts(changes))
    if not shifts:
        return text, []
    document, source = parse(text), read(text)
    base = source.data.get("base_facts") or {}
    edits: dict[Path, Any] = {}
    notes: list[str] = []
    for i, example in enumerate(document.examples):
        facts = source.data["examples"][i].get("facts") or {}
        for changed in _candidates(document, example, facts, shifts):
            trial = deepcopy(facts)
            for path, value in changed.items():
                _set(trial, path, value)
            try:
                whole = with_units(merged(base, trial), document.schema)
            except (ValueError, OverflowError):
                continue
            if _holds(document, example, whole):
                edits |= {("examples", i, "facts", *path): v for path, v in changed.items()}
                notes.append(example.name)
                break
    return (rewritten(text, edits) if edits else text), notes


def _holds(document: PolicyDocument, example: Example, facts: Mapping[str, Any]) -> bool:
    """Whether results and verdict come out as expected; amounts are the author's to look at."""
    report = evaluate(document, facts, example.today)
    results = {finding.rule: finding.result for finding in report.findings}
    return all(results[rule] == expected for rule, expected in example.expect.items()) and (
        example.verdict in (None, report.verdict)
    )


@dataclass(frozen=True)
class _Shift:
    """One changed value: its parameter, where it stood, how far it went, and the next step."""

    parameter: str
    old: Any
    distance: Any
    step: Any


def _shifts(changes: Mapping[Path, tuple[Any, Any]]) -> Iterator[_Shift]:
    for path, (old, new) in changes.items():
        if "parameters" not in path or isinstance(old, bool):
            continue
        name = path[path.index("parameters") + 1]
        if isinstance(old, int | Decimal) and isinstance(new, int | Decimal):
            whole = isinstance(old, int) and isinstance(new, int)
            step = Decimal(1) if whole else CENT
            yield _Shift(name, Decimal(old), Decimal(new) - Decimal(old), step)
        elif isinstance(old, date) and isinstance(new, date):
            yield _Shift(name, old, new - old, DAY)


def _set(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _candidates(
    document: PolicyDocument, example: Example, facts: Mapping[str, Any], shifts: list[_Shift]
) -> Iterator[dict[Path, Any]]:
    """Ways to move values of an example: those beside the old threshold first."""
    fails = not _holds(document, example, example.facts)
    spoken = {
        name for rule in document.rules if rule.id in example.expect for name in rule.parameters
    }
    trials = 0
    for shift in shifts:
        near: dict[Path, Any] = {}
        far: dict[Path, Any] = {}
        for path, value in _leaves(facts, ()):
            if _comparable(value, shift.old):
                beside = abs(_number(value, shift.old) - shift.old) <= shift.step
                (near if beside else far)[path] = _moved(value, shift.distance)
        ways = [near] if len(near) > 1 else []
        ways += [{path: value} for path, value in near.items()]
        if fails:
            ways += [{path: value} for path, value in far.items()]
        elif shift.parameter not in spoken:
            ways = []
        for changed in ways:
            trials += 1
            if trials > MAX_TRIALS:
                return
            yield changed


def _leaves(data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    else:
        yield path, data
    for key, item in items:
        yield from _leaves(item, (*path, key))


def _comparable(value: Any, old: Any) -> bool:
    if isinstance(old, Decimal):
        return isinstance(value, int | Decimal) and not isinstance(value, bool)
    return isinstance(value, date)


def _number(value: Any, old: Any) -> Any:
    return Decimal(value) if isinstance(old, Decimal) else value


def _moved(value: Any, distance: Any) -> Any:
    if isinstance(distance, timedelta):
        return value + distance
    moved = Decimal(value) + distance
    return int(moved) if isinstance(value, int) and moved == int(moved) else moved
