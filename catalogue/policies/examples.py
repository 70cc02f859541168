"""Running a policy's own examples: what they expect, and that they try each rule both ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalogue.money import money_text
from catalogue.policies.boundaries import lacking, thresholds_of
from catalogue.policies.case import Case, decision_of
from catalogue.policies.document import Example, PolicyDocument
from catalogue.policies.report import Decision
from catalogue.policies.source import Problem

MAX_WORK = 500_000
RESULT_WORDS = {"pass": "符合", "fail": "不符"}


def example_problems(document: PolicyDocument) -> list[Problem]:
    """Everything that is wrong with the examples of a file, or lacking among them."""
    if sum(_work(document, example) for example in document.examples) > MAX_WORK:
        return [Problem(1, "例子要算的太多：请减少例子，或例子里合同等列表的项数")]
    problems: list[Problem] = []
    seen: dict[str, set[str]] = {rule.id: set() for rule in document.rules}
    thresholds = thresholds_of(document)
    for example in document.examples:
        case = Case(document, example.facts, example.today, full=True)
        decision = decision_of(case)
        for rule in document.rules:
            seen[rule.id].add(case.rule(rule)[0])
        for threshold in thresholds:
            threshold.measure(case)
        case.close()
        problems += [
            Problem(example.line, f"例子“{example.name}”：{difference}")
            for difference in _differences(example, decision)
        ]
    problems += [
        Problem(rule.line, f"规则 {rule.id} 没有一个“{words}”的例子")
        for rule in document.rules
        for result, words in RESULT_WORDS.items()
        if result not in seen[rule.id]
    ]
    return problems + lacking(thresholds)


def _work(document: PolicyDocument, example: Example) -> int:
    """Roughly how long an example takes, in microseconds: walks within walks count as powers."""
    longest = max((len(items) for items in _lists(example.facts)), default=1)
    return sum(10 + 5 * longest + 2 * longest**e.walks for e in document.deciding)


def _lists(facts: Any) -> Iterator[list[Any]]:
    if isinstance(facts, list):
        yield facts
    inner = facts.values() if isinstance(facts, Mapping) else ()
    for value in inner:
        yield from _lists(value)


def _differences(example: Example, decision: Decision) -> list[str]:
    found = [
        f"{rule} 应为 {expected}，算得 {decision.results[rule]}"
        for rule, expected in example.expect.items()
        if decision.results[rule] != expected
    ]
    if example.verdict is not None and decision.verdict != example.verdict:
        found.append(f"结论应为 {example.verdict}，算得 {decision.verdict}")
    if example.amount_fen is not None and decision.amount_fen != example.amount_fen:
        found.append(_amounts("金额", example.amount_fen, decision.amount_fen))
    return found + [
        _amounts(f"{portion} 一份", expected, decision.shares[portion])
        for portion, expected in example.shares.items()
        if decision.shares[portion] != expected
    ]


def _amounts(what: str, expected: int, got: int | None) -> str:
    told = "算不出" if got is None else money_text(got)
    return f"{what}应为 {money_text(expected)}，算得 {told}"
