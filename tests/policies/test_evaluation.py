"""Three results, exact money, and reports that are the same bytes every time."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.policies.facts import as_day
from catalogue.policies.rules import canonical, evaluate, load
from tests.policies.small import TEXT, TODAY, changed, report


def test_a_met_rule_passes_and_shows_what_it_read() -> None:
    finding = report({"contracts": [{"amount": 150_000}]}).findings[0]
    assert (finding.result, finding.read, finding.threshold, finding.gap) == (
        "pass", "1,500.00 元", "累计不低于 1,000.00 元", "",
    )  # fmt: skip
    assert finding.article_url == "/schemes/first_version/T-1#article-1"


def test_a_rule_that_is_not_met_names_the_gap() -> None:
    result = report({"contracts": [{"amount": 99_999}]})
    assert result.verdict == "ineligible"
    assert result.findings[0].gap == "少 0.01 元"


def test_a_missing_fact_is_unknown_and_named() -> None:
    result = report({"contracts": [{"amount": 100}, {}]})
    assert result.verdict == "needs_person"
    assert result.findings[0].result == "unknown"
    assert result.findings[0].missing == ("合同 2 的金额",)
    assert result.amount_fen is None
    assert result.worksheet[1].note == "缺合同 2 的金额"


def test_a_list_nobody_gave_is_unknown_but_an_empty_one_is_known() -> None:
    assert report({}).findings[0].missing == ("合同",)
    assert report({"contracts": []}).findings[0].result == "fail"


def test_none_means_not_known() -> None:
    assert report({"contracts": [{"amount": None}]}).findings[0].result == "unknown"


def test_a_rule_that_errors_is_unknown_with_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    broken = changed(
        "total(contracts) >= p.floor",
        "total(contracts) >= p.floor && 1 / (count(contracts) - count(contracts)) == 1",
    )
    with caplog.at_level(logging.ERROR, logger="catalogue.policies.rules"):
        result = report({"contracts": [{"amount": 100_000}]}, broken)
    assert result.findings[0].result == "unknown"
    assert result.findings[0].missing == ()
    assert result.verdict == "needs_person"
    assert "policy_rule_error" in caplog.text


def test_facts_of_a_wrong_kind_are_not_used(caplog: pytest.LogCaptureFixture) -> None:
    for bad in ("1000", 10.5, True, -1, 10**16):
        assert report({"contracts": [{"amount": bad}]}).findings[0].result == "unknown"
    assert "policy_fact_refused" in caplog.text


def test_ten_thousand_contracts_are_bounded_explained_and_not_passed() -> None:
    result = report({"contracts": [{"amount": 100}] * 10_000})
    assert result.verdict == "needs_person"
    assert result.findings[0].missing == ("合同（超过 500 项）",)


def test_a_finding_names_the_facts_that_decided_and_where_they_stand() -> None:
    facts = report({"contracts": [{"amount": 60_000}, {}]}).findings[0].facts
    assert [(read.path, read.label, read.value) for read in facts] == [
        ("contracts[1].amount", "合同 1 的金额", "600.00 元"),
        ("contracts[2].amount", "合同 2 的金额", "未填"),
    ]
    assert {(read.source, read.place) for read in facts} == {("申报的合同与到账", "contracts")}
    many = report({"contracts": [{"amount": 1}] * 500}).findings[0].facts
    assert len(many) == 11
    assert many[-1].value == "另有 490 项"


def test_many_missing_facts_are_told_in_few_words() -> None:
    missing = report({"contracts": [{}] * 500}).findings[0].missing
    assert missing[0] == "合同 1 的金额"
    assert missing[-1] == "等 500 项"
    assert len(missing) == 9


def test_amounts_at_the_limit_are_worked_out_or_told_as_too_large() -> None:
    most = 10**15 - 1
    assert report({"contracts": [{"amount": most}]}).worksheet[0].amount_fen == most
    line = report({"contracts": [{"amount": most}] * 500}).worksheet[0]
    assert (line.amount_fen, line.note) == (None, "结果为负或过大，转人工")


def test_unknown_root_facts_do_not_raise() -> None:
    assert report({"weather": 1, "contracts": [{"amount": 100_000}]}).verdict == "eligible"


def test_placeholders_are_marked_where_they_are_used() -> None:
    result = report({"contracts": [{"amount": 100_000}]})
    assert [line.placeholder for line in result.worksheet] == [False, True]
    assert not result.findings[0].placeholder
    assert result.placeholder


def test_operands_are_written_in_yuan() -> None:
    assert report({"contracts": [{"amount": 100_000}]}).worksheet[1].operands == (
        "1,000.00 元 × 33.3333%"
    )


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [(5, "0.10", 1), (4, "0.10", 0), (15, "0.10", 2), (1, "0.5", 1), (3, "0.5", 2), (7, "0", 0)],
)
def test_half_a_fen_rounds_up(amount: int, rate: str, expected: int) -> None:
    text = changed("0.333333", rate)
    assert report({"contracts": [{"amount": amount}]}, text).amount_fen == expected


@given(st.integers(0, 10**14), st.integers(0, 1_000_000))
def test_a_share_is_the_exact_product_rounded_half_up(amount: int, millionths: int) -> None:
    from decimal import ROUND_HALF_UP, Decimal

    from catalogue.policies.functions import share_of

    exact = Decimal(amount) * millionths / 1_000_000
    assert share_of(amount, {"millionths": millionths}) == int(
        exact.quantize(Decimal(1), ROUND_HALF_UP)
    )


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"amount": st.one_of(st.none(), st.integers(0, 10**14), st.text())}
        ),
        max_size=5,
    )
)
def test_the_same_facts_give_the_same_bytes_and_never_a_crash(contracts: list[dict]) -> None:
    document = load(TEXT, run_examples=False)
    first = canonical(evaluate(document, {"contracts": contracts}, TODAY))
    again = canonical(evaluate(load(TEXT, run_examples=False), {"contracts": contracts}, TODAY))
    assert first == again
    assert json.loads(first)["policy_sha256"] == document.sha256


def test_a_round_under_a_continued_policy_uses_its_own_parameters() -> None:
    text = changed(
        "parameters:\n",
        "continued:\n  from: 2026-01-01\n  placeholder: true\n  note: 沿用\n"
        "  parameters:\n    floor: {value: 2000.00, unit: 元, label: 门槛, article: 第一条,"
        " confidence: 缺, placeholder: true}\nparameters:\n",
    )
    from datetime import date

    facts = {"contracts": [{"amount": 150_000}]}
    old = {"round": {"opens_on": as_day(date(2020, 5, 1))}}
    new = {"round": {"opens_on": as_day(date(2026, 1, 1))}}
    before, after = report(facts | old, text), report(facts | new, text)
    assert (before.verdict, before.continued) == ("eligible", False)
    assert (after.verdict, after.continued) == ("ineligible", True)
    assert after.findings[0].placeholder
    assert not before.findings[0].placeholder
