"""The nearest way: what it advises passes, nothing less does, and it advises only the honest."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.policies.changes import Case, applied
from catalogue.policies.facts import as_day, cleaned
from catalogue.policies.nearest import Nearest, nearest
from catalogue.policies.rules import PolicyDocument, decide, load

FOLDER = Path("seeds/policies")
NAMES = sorted(path.name for path in FOLDER.glob("*.yaml"))
TODAY = date(2026, 6, 1)


@cache
def _document(name: str) -> PolicyDocument:
    return load((FOLDER / name).read_text(encoding="utf-8"), run_examples=False)


@st.composite
def _cases(draw: Any) -> tuple[PolicyDocument, dict[str, Any], date]:
    """An example of a seeded policy from which something was taken away or changed."""
    document = _document(draw(st.sampled_from(NAMES)))
    example = draw(st.sampled_from(document.examples))
    facts = dict(example.facts)
    for name in draw(
        st.sets(st.sampled_from(["materials", "declarations", "patents"]), max_size=1)
    ):
        facts.pop(name, None)
    contracts = [dict(contract) for contract in facts.get("contracts") or []]
    for contract in contracts[:1]:
        contract["amount"] = draw(st.sampled_from([contract.get("amount", 0), 100, 49_999_999]))
    if "contracts" in facts:
        facts["contracts"] = contracts
    return document, facts, example.today


def _holds(document: PolicyDocument, case: Case, found: Nearest) -> None:
    after = applied(case, found.steps)
    decision = decide(document, after.facts, after.today)
    assert decision.verdict == found.verdict
    assert decision.amount_fen == found.amount_fen
    if found.verdict == "eligible":
        assert not found.people
        return
    assert found.people
    stops = {rule.id for rule in document.rules if rule.otherwise == "ineligible"}
    assert not {r for r, result in decision.results.items() if result == "fail"} & stops


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(_cases())
def test_what_it_advises_passes_and_no_part_of_it_does(
    case_of: tuple[PolicyDocument, dict[str, Any], date],
) -> None:
    document, facts, today = case_of
    before = decide(document, facts, today)
    found = nearest(document, facts, today)
    if before.verdict == "eligible":
        assert found is None
        return
    assert found is not None
    if found.unmet:
        assert not found.steps
        return
    case = Case(cleaned(facts, document.schema)[0], today)
    _holds(document, case, found)
    for size in range(min(len(found.steps), 4)):
        for part in combinations(sorted(found.steps, key=repr), size):
            after = applied(case, part)
            results = decide(document, after.facts, after.today)
            left = {r.title for r in document.rules if results.results[r.id] != "pass"}
            amount = results.amount_fen is None and bool(document.worksheet)
            assert not left <= set(found.people) or amount
    for change in (*found.firm, *found.time):
        place = change.step.place
        assert not place.startswith(("product.kind", "enterprise.district", "history", "round"))


def _example(name: str, title: str) -> tuple[PolicyDocument, dict[str, Any]]:
    document = _document(name)
    return document, dict(next(e for e in document.examples if e.name == title).facts)


def test_the_gap_is_named_to_the_fen() -> None:
    document, facts = _example("first_version-2020.yaml", "差一分不够")
    found = nearest(document, facts, TODAY)
    assert found is not None
    assert len(found.firm) == 1
    assert found.firm[0].says == (
        "再有一个合同：金额至少 0.01 元并已到账，开票在 2025-05-30 至 2026-11-30 之间，"
        "买方不是关联方"
    )


def test_a_contract_too_many_is_the_one_that_costs_least() -> None:
    document, facts = _example("first_version-2020.yaml", "四个合同")
    found = nearest(document, facts, TODAY)
    assert found is not None
    assert [change.says for change in found.firm] == ["撤下合同 2（2026-01-01，100,000.00 元）"]


def test_only_time_helps_when_a_patent_is_too_young() -> None:
    document, facts = _example("catalogue-2022.yaml", "申报当年第一天授权")
    found = nearest(document, facts, TODAY)
    assert found is not None
    assert found.firm[0].exists
    assert found.otherwise is not None
    assert found.otherwise.firm == ()
    assert found.otherwise.since == date(2027, 10, 8)
    assert found.otherwise.time[0].says.startswith("自 2027-10-08 起符合")


def test_what_nobody_can_change_is_said_to_be_out_of_reach() -> None:
    document, facts = _example("first_version-2020.yaml", "不是软件，也不在领域内")
    found = nearest(document, facts, TODAY)
    assert found == Nearest("ineligible", unmet=("申报的是软件",))


def test_an_invoice_that_is_past_stays_and_one_ahead_may_move() -> None:
    document, facts = _example("first_version-2020.yaml", "样样都符合，金额到分")
    contract = {**facts["contracts"][1], "amount": 60_000_000, "received": 60_000_000}
    late = as_day(date(2026, 12, 24))
    ahead = nearest(document, {**facts, "contracts": [{**contract, "invoiced_on": late}]}, TODAY)
    after = date(2027, 1, 4)
    past = nearest(document, {**facts, "contracts": [{**contract, "invoiced_on": late}]}, after)
    assert ahead is not None
    assert past is not None
    assert ahead.firm[0].says == "改定合同 1 的发票日期，在 2026-06-01 至 2026-11-30 之间"
    assert all(change.step.kind != "fill" for change in past.firm)


@pytest.mark.parametrize("count", [60, 500])
def test_many_contracts_stay_bounded(count: int) -> None:
    document, facts = _example("first_version-2020.yaml", "样样都符合，金额到分")
    many = [{**facts["contracts"][0], "number": f"n{i}"} for i in range(count)]
    found = nearest(document, {**facts, "contracts": many}, TODAY)
    assert found is not None
    assert found.unmet
