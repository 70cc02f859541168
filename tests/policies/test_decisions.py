"""The quick decision is the decision of the report, case after case, and scenarios change both."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.policies.facts import cleaned
from catalogue.policies.rules import (
    Decision,
    PolicyRefused,
    canonical,
    decide,
    evaluate,
    load,
    with_parameters,
)
from tests.policies.small import TEXT, TODAY, changed

FILES = sorted(Path("seeds/policies").glob("*.yaml"))
DOCUMENTS = [load(path.read_text("utf-8"), run_examples=False) for path in FILES]
ODD: list[Any] = [None, 0, 1, 10**14, -5, True, False, "", "equipment", [], {}, 20_000, [{}]]


def places(facts: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in facts, at every depth."""
    items: Any = ()
    if isinstance(facts, dict):
        items = facts.items()
    elif isinstance(facts, list):
        items = enumerate(facts)
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, dict[str, Any], date]:
    """An example of a seeded policy with up to three facts replaced by something odd."""
    document = draw(st.sampled_from(DOCUMENTS))
    example = draw(st.sampled_from(document.examples))
    facts = deepcopy(dict(example.facts))
    for _ in range(draw(st.integers(0, 3))):
        *parents, last = draw(st.sampled_from(places(facts)[1:] or [("contracts",)]))
        place: Any = facts
        for key in parents:
            place = place[key]
        place[last] = deepcopy(draw(st.sampled_from(ODD)))
    return document, facts, example.today


def told(document: Any, facts: Any, today: date) -> Decision:
    """The decision as the report tells it."""
    report = evaluate(document, facts, today)
    return Decision(
        report.verdict,
        report.amount_fen,
        {finding.rule: finding.result for finding in report.findings},
        {share.id: share.amount_fen for share in report.shares},
    )


@settings(max_examples=150, deadline=None)
@given(cases())
def test_a_decision_is_what_the_report_says(case: tuple[Any, dict[str, Any], date]) -> None:
    document, facts, today = case
    expected = told(document, facts, today)
    assert decide(document, facts, today) == expected
    clean, _ = cleaned(facts, document.schema)
    assert decide(document, clean, today, clean=True) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(cases(), min_size=2, max_size=5))
def test_a_case_leaves_nothing_behind_for_the_next(
    several: list[tuple[Any, dict[str, Any], date]],
) -> None:
    """Cases share machines; a fresh document has none, and must say the same bytes."""
    for document, facts, today in several:
        fresh = replace(document)
        assert canonical(evaluate(document, facts, today)) == canonical(
            evaluate(fresh, facts, today)
        )


def test_a_rule_between_two_cases_forgets_a_list_that_is_not_given_again() -> None:
    document = load(TEXT, run_examples=False)
    assert decide(document, {"contracts": [{"amount": 100_000}]}, TODAY).verdict == "eligible"
    assert decide(document, {}, TODAY).results == {"total": "unknown"}


def test_a_scenario_changes_the_decision_and_has_its_own_hash() -> None:
    document = load(TEXT)
    other = with_parameters(document, {"floor": Decimal("2000.00"), "rate": Decimal("0.5")})
    facts = {"contracts": [{"amount": 150_000}]}
    assert decide(document, facts, TODAY).verdict == "eligible"
    assert decide(other, facts, TODAY).verdict == "ineligible"
    assert decide(other, facts, TODAY).amount_fen == 75_000
    again = with_parameters(document, {"rate": Decimal("0.50"), "floor": 2000})
    assert other.sha256 == again.sha256 != document.sha256
    assert with_parameters(document, {}) is document


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"flor": 1}, "没有参数 flor"),
        ({"rate": 20}, "0 到 1 的小数"),
        ({"floor": -1}, "0 以上"),
        ({"floor": Decimal("NaN")}, "两位小数"),
        ({"rate": Decimal("Infinity")}, "0 到 1 的小数"),
        ({"floor": Decimal("0.001")}, "两位小数"),
        ({"floor": [1, 2]}, "应是金额，写的是金额的列表"),
        ({"floor": "1000"}, "应是数字"),
        ({"floor": True}, "应是数字"),
    ],
)
def test_a_scenario_that_does_not_fit_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(PolicyRefused, match=reason):
        with_parameters(load(TEXT), changes)


def test_a_scenario_of_tables_lists_and_days() -> None:
    text = changed(
        "  rate: {",
        "  since: {value: 2026-01-01, label: 起, article: 第一条, confidence: 见}\n"
        "  table: {value: [{from: 0, then: 0.1}], unit: 比例, label: 表, article: 第一条,"
        " confidence: 见}\n"
        "  years: {value: {ai: 3, other: 2}, unit: 年, label: 年, article: 第一条,"
        " confidence: 见}\n"
        "  rate: {",
    ).replace("words: 累计不低于", "words: '{p.since} {p.table} {p.years}' #")
    document = load(text, run_examples=False)
    other = with_parameters(
        document,
        {
            "since": date(2027, 1, 1),
            "table": [{"from": 0, "then": Decimal("0.2")}, {"from": 5, "then": Decimal("0.3")}],
            "years": {"ai": 4},
        },
    )
    told_words = evaluate(other, {}, TODAY).findings[0].threshold
    assert told_words == "2027-01-01 0.00 元起 20%、5.00 元起 30% ai 4"
    with pytest.raises(PolicyRefused, match="从小到大"):
        with_parameters(document, {"table": [{"from": 5, "then": 0}, {"from": 5, "then": 0}]})
