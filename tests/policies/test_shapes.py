"""The shapes that real rules take, each as a small policy with amounts worked out by hand."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from catalogue.policies.facts import as_day
from catalogue.policies.rules import PolicyRefused, Report, evaluate, load

TODAY = date(2026, 6, 1)
HEAD = """\
scheme: {scheme}
version: "S-1"
title: 形状
effective: {{from: 2020-01-01}}
articles: {{第一条: {{text: 条文, source: 测试, confidence: 见}}}}
stages: [formal_check, notice]
notice: {{working_days: 5}}
rules:
  - {{id: has-contract, title: 有合同, article: 第一条, require: count(contracts) > 0,
     words: 有合同, read: "{{count(contracts)}} 个", otherwise: ineligible}}
{more}
examples:
  - {{name: 空, facts: {{contracts: []}}, expect: {{has-contract: fail}}}}
"""


def rule(require: str, *more: str) -> str:
    """One rule about ``require``, in the words of nobody."""
    lines = [
        "  - id: shape",
        "    title: 形状",
        "    article: 第一条",
        f"    require: '{require}'",
        "    words: 见条文",
        "    read: 见条文",
        "    otherwise: ineligible",
        *(f"    {line}" for line in more),
    ]
    return "\n".join(lines)


def numbers(**values: str) -> str:
    """Parameters, each written as the inside of its braces."""
    entries = [
        f"  {name}: {{{value}, label: {name}, article: 第一条, confidence: 见}}"
        for name, value in values.items()
    ]
    return "\n".join(["parameters:", *entries])


def steps(*lines: tuple[str, str]) -> str:
    """A worksheet of id and value."""
    entries = [
        f"  - {{id: {name}, label: {name}, value: '{value}', article: 第一条}}"
        for name, value in lines
    ]
    return "\n".join(["worksheet:", *entries])


def under(parts: list[str], facts: dict[str, Any], scheme: str = "first_set") -> Report:
    """The report of facts under a policy of these parts; there is one contract unless said."""
    text = HEAD.format(scheme=scheme, more="\n".join(parts))
    return evaluate(load(text, run_examples=False), {"contracts": [{}], **facts}, TODAY)


def result(report: Report) -> str:
    """The result of the rule about the shape."""
    return next(f.result for f in report.findings if f.rule == "shape")


def day(text: str) -> int:
    """A date as facts have it."""
    return as_day(date.fromisoformat(text))


def contract(**fields: Any) -> dict[str, Any]:
    """A contract; days are written as ISO dates, amounts in fen."""
    return {k: day(v) if k.endswith("_on") else v for k, v in fields.items()}


# ------------------------------------------------------------------ money


@pytest.mark.parametrize(
    ("earlier", "expected"), [(0, 9_000_01), (1, 8_000_01), (2, 7_000_01), (3, None)]
)
def test_a_rate_that_falls_year_by_year(
    caplog: pytest.LogCaptureFixture, earlier: int, expected: int | None
) -> None:
    """90, 80, 70 % of 10,000.01 yuan in the first, second and third year; a fourth has no rate."""
    parts = [
        numbers(rates="value: [0.90, 0.80, 0.70], unit: 比例"),
        steps(("amount", "share(total(contracts), nth(p.rates, count(history.awards) + 1))")),
    ]
    facts = {"contracts": [{"amount": 1_000_001}], "history": {"awards": [{}] * earlier}}
    report = under(parts, facts)
    assert report.amount_fen == expected
    if expected is None:
        assert report.verdict == "needs_person"
        assert report.worksheet[0].note == "没有第 4 个，一共 3 个，转人工"
        assert not caplog.records, "what is said in the worksheet is no alarm, case by case"


@pytest.mark.parametrize(
    ("had", "expected"), [(0, 400_000_00), (700_000_00, 300_000_00), (1_000_000_00, 0)]
)
def test_a_cap_of_the_firm_for_the_year(had: int, expected: int) -> None:
    """40 % of one million is 400,000; what the firm got this year leaves less under the cap."""
    parts = [
        numbers(rate="value: 0.4, unit: 比例", cap="value: 1000000.00, unit: 元"),
        steps(
            ("wanted", "share(total(contracts), p.rate)"),
            ("had", "total(history.awards.filter(a, a.year == round.year))"),
            ("amount", "min(wanted, max(0, p.cap - had))"),
        ),
    ]
    awards = [{"year": 2026, "amount": had}, {"year": 2025, "amount": 999_999_99}]
    facts = {"contracts": [{"amount": 1_000_000_00}], "history": {"awards": awards}}
    assert under(parts, {**facts, "round": {"year": 2026}}).amount_fen == expected


def test_a_cap_of_the_product_over_all_years() -> None:
    """Of 500,000 for a product, 499,999.99 was given; one fen is left."""
    parts = [
        numbers(cap="value: 500000.00, unit: 元"),
        steps(
            ("had", "total(history.awards.filter(a, a.same_product))"),
            ("amount", "min(total(contracts), max(0, p.cap - had))"),
        ),
    ]
    awards = [
        {"same_product": True, "amount": 499_999_99},
        {"same_product": False, "amount": 400_000_00},
    ]
    facts = {"contracts": [{"amount": 10_000_00}], "history": {"awards": awards}}
    assert under(parts, facts).amount_fen == 1


@pytest.mark.parametrize(
    ("amount", "whole", "portions"),
    [
        # 1.2 million: wholly at 20 %; in portions 10 % of 500,000 and 20 % of 700,000.
        (1_200_000_00, 240_000_00, 190_000_00),
        (500_000_00, 100_000_00, 50_000_00),
        (499_999_99, 50_000_00, 50_000_00),
        # 10 % of 500,000 and 20 % of 3 fen is 50,000.006: up to a whole fen.
        (500_000_03, 100_000_01, 50_000_01),
        (0, 0, 0),
    ],
)
def test_steps_for_the_whole_amount_and_for_its_portions(
    amount: int, whole: int, portions: int
) -> None:
    table = "value: [{from: 0, then: 0.10}, {from: 500000.00, then: 0.20}], unit: 比例"
    facts = {"contracts": [{"amount": amount}]}
    for value, expected in (
        ("share(total(contracts), tier(p.table, total(contracts)))", whole),
        ("graded(p.table, total(contracts))", portions),
    ):
        assert under([numbers(table=table), steps(("amount", value))], facts).amount_fen == expected


def test_a_fixed_sum_by_the_number_of_pieces() -> None:
    """From three pieces on 200,000, from one 100,000; the steps count pieces, not yuan."""
    table = (
        "value: [{from: 1, then: 100000.00}, {from: 3, then: 200000.00}], unit: 元, from_unit: 台"
    )
    parts = [
        numbers(table=table),
        steps(("amount", 'tier(p.table, total(contracts, "quantity"))')),
    ]
    for quantity, expected in ((1, 100_000_00), (2, 100_000_00), (3, 200_000_00), (0, None)):
        assert under(parts, {"contracts": [{"quantity": quantity}]}).amount_fen == expected


def test_the_share_of_the_maker_and_of_the_user() -> None:
    """70 % of 333.35 is 233.345, up to 233.35; the user takes the rest, 100.00."""
    parts = [
        numbers(maker="value: 0.7, unit: 比例"),
        steps(("amount", "total(contracts)")),
        "split:",
        "  - {id: maker, label: 研制单位, value: 'share(amount, p.maker)', article: 第一条}",
        "  - {id: user, label: 使用单位, article: 第一条}",
    ]
    report = under(parts, {"contracts": [{"amount": 333_35}]})
    assert [(s.id, s.amount_fen) for s in report.shares] == [("maker", 233_35), ("user", 100_00)]


def test_shares_that_do_not_add_up_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    parts = [
        numbers(half="value: 0.5, unit: 比例"),
        steps(("amount", "total(contracts)")),
        "split:",
        "  - {id: maker, label: 研制单位, value: 'share(amount, p.half)', article: 第一条}",
        "  - {id: user, label: 使用单位, value: 'share(amount, p.half)', article: 第一条}",
    ]
    assert under(parts, {"contracts": [{"amount": 2}]}).verdict == "eligible"
    with caplog.at_level(logging.ERROR, logger="catalogue.policies.rules"):
        odd = under(parts, {"contracts": [{"amount": 3}]})
    assert [s.amount_fen for s in odd.shares] == [None, None]
    assert odd.verdict == "needs_person"
    assert "policy_split_error" in caplog.text


def test_a_cap_for_each_contract() -> None:
    """20 % of 10.03 is 2.006, so 2.01; 20 % of 1,000 is 200, capped at 50; in all 52.01."""
    parts = [
        numbers(rate="value: 0.2, unit: 比例", cap="value: 50.00, unit: 元"),
        steps(("amount", "total(contracts.map(c, min(share(c.amount, p.rate), p.cap)))")),
    ]
    contracts: list[dict[str, Any]] = [{"amount": 10_03}, {"amount": 1_000_00}]
    assert under(parts, {"contracts": contracts}).amount_fen == 52_01
    missing = under(parts, {"contracts": [*contracts, {}]})
    assert missing.worksheet[0].note == "缺合同 3 的金额"


def test_the_largest_three_count_and_a_mean_is_rounded() -> None:
    """9 + 7 + 5 yuan of four contracts, over two pieces: 10.50."""
    parts = [
        numbers(most="value: 3"),
        steps(("amount", "per(total(largest_n(contracts, p.most)), 2)")),
    ]
    contracts = [{"amount": n * 100} for n in (5, 9, 1, 7)]
    assert under(parts, {"contracts": contracts}).amount_fen == 10_50


# ------------------------------------------------------------------ conditions


@pytest.mark.parametrize(("received", "expected"), [(30_01, "pass"), (30_00, "fail")])
def test_a_deposit_of_at_least_a_share_is_compared_exactly(received: int, expected: str) -> None:
    """30 % of 100.01 is 30.003: 30.00 is less, however one would round."""
    parts = [
        rule("contracts.all(c, at_least(c.received, c.amount, p.deposit))"),
        numbers(deposit="value: 0.30, unit: 比例"),
    ]
    facts = {"contracts": [{"amount": 100_01, "received": received}]}
    assert result(under(parts, facts)) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ({"awards": [], "pending": []}, "pass"),
        ({"awards": [{"scheme": "first_batch", "same_product": False}], "pending": []}, "pass"),
        ({"awards": [{"scheme": "first_batch", "same_product": True}], "pending": []}, "fail"),
        ({"awards": [], "pending": [{"scheme": "first_batch", "same_product": True}]}, "fail"),
        ({"awards": []}, "unknown"),
    ],
)
def test_either_or_with_another_scheme(history: dict[str, Any], expected: str) -> None:
    parts = [
        rule(
            "!history.awards.exists(a, a.scheme in p.rivals && a.same_product)"
            " && !history.pending.exists(a, a.scheme in p.rivals && a.same_product)"
        ),
        numbers(rivals="value: [first_batch, insurance_material]"),
    ]
    assert result(under(parts, {"history": history})) == expected


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        ("2023-12-31", "fail"),
        ("2024-01-01", "pass"),
        ("2025-12-31", "pass"),
        ("2026-01-01", "fail"),
    ],
)
def test_a_window_of_the_two_calendar_years_before(signed: str, expected: str) -> None:
    parts = [
        rule(
            "contracts.all(c, c.signed_on >= year_start(round.year - p.years)"
            " && c.signed_on <= year_end(round.year - 1))"
        ),
        numbers(years="value: 2, unit: 年"),
    ]
    facts = {"contracts": [contract(signed_on=signed)], "round": {"year": 2026}}
    assert result(under(parts, facts)) == expected


@pytest.mark.parametrize(
    ("last", "expected"), [("2026-07-30", "pass"), ("2026-07-31", "fail"), ("2026-08-01", "fail")]
)
def test_fewer_than_six_months_between_first_and_last_contract(last: str, expected: str) -> None:
    parts = [
        rule(
            'months_between(earliest(contracts, "signed_on"), latest(contracts, "signed_on"))'
            " < p.months"
        ),
        numbers(months="value: 6, unit: 个月"),
    ]
    contracts = [contract(signed_on=last), contract(signed_on="2026-01-31")]
    assert result(under(parts, {"contracts": contracts})) == expected


@pytest.mark.parametrize(
    ("domain", "granted", "expected"),
    [
        ("biomed", "2021-01-01", "pass"),
        ("biomed", "2020-12-31", "fail"),
        ("ai", "2023-01-01", "pass"),
        ("ai", "2022-12-31", "fail"),
    ],
)
def test_an_exception_by_class(domain: str, granted: str, expected: str) -> None:
    parts = [
        rule(
            "patents.exists(t, t.granted_on >="
            " year_start(round.year - by_class(p.years, product.domain)))"
        ),
        numbers(years="value: {biomed: 5, other: 3}, unit: 年"),
    ]
    facts = {
        "patents": [contract(granted_on=granted)],
        "product": {"domain": domain},
        "round": {"year": 2026},
    }
    assert result(under(parts, facts)) == expected


@pytest.mark.parametrize(
    ("size", "sold", "expected", "applies"),
    [("large", 1, "pass", False), ("small", 1, "fail", True), (None, 1, "unknown", True)],
)
def test_a_rule_that_concerns_only_some(
    size: str | None, sold: int, expected: str, applies: bool
) -> None:
    parts = [
        rule("total(contracts) >= p.least", "applies: enterprise.size in p.sizes",
             "applies_words: 只管 {p.sizes}"),
        numbers(least="value: 100.00, unit: 元", sizes="value: [small, micro]"),
    ]  # fmt: skip
    report = under(parts, {"contracts": [{"amount": sold}], "enterprise": {"size": size}})
    finding = report.findings[-1]
    assert (finding.result, finding.applies) == (expected, applies)
    if not applies:
        assert finding.says == "不适用：只管 small、micro"
        assert [r.path for r in finding.facts] == ["enterprise.size"]


@pytest.mark.parametrize(
    ("opens", "expected"),
    [
        ("2024-02-28", "pass"),
        ("2024-02-29", "fail"),
        ("2027-02-28", "fail"),
        ("2027-03-01", "pass"),
    ],
)
def test_a_ban_after_fraud(opens: str, expected: str) -> None:
    """Three years from the leap day: to the last day of February, and not a day longer."""
    parts = [
        rule(
            "!history.exclusions.exists(e, e.ground == p.fraud && e.since <= round.opens_on"
            " && round.opens_on <= add_years(e.since, p.years))"
        ),
        numbers(fraud="value: fraud", years="value: 3, unit: 年"),
    ]
    ban = {"since": day("2024-02-29"), "ground": "fraud"}
    facts = {"history": {"exclusions": [ban]}, "round": {"opens_on": day(opens)}}
    assert result(under(parts, facts)) == expected


def test_several_products_on_one_patent() -> None:
    parts = [
        rule("patents.exists(t, t.holder_matches && t.other_products < p.most)"),
        numbers(most="value: 1, unit: 个"),
    ]
    for used, expected in ((0, "pass"), (1, "fail")):
        facts = {"patents": [{"holder_matches": True, "other_products": used}]}
        assert result(under(parts, facts)) == expected


@pytest.mark.parametrize(
    ("accepted", "expected"),
    # After 2026-09-28: two days, the holidays of October 1 to 7, Saturday the 10th for one of them.
    [("2026-10-16", "pass"), ("2026-10-19", "fail"), ("2099-01-05", "unknown")],
)
def test_working_days_follow_the_published_calendar(accepted: str, expected: str) -> None:
    parts = [
        rule("contracts.all(c, working_days_between(c.signed_on, c.accepted_on) <= p.days)"),
        numbers(days="value: 10, unit: 天"),
    ]
    signed = "2099-01-01" if accepted.startswith("2099") else "2026-09-28"
    report = under(parts, {"contracts": [contract(signed_on=signed, accepted_on=accepted)]})
    assert result(report) == expected
    if expected == "unknown":
        assert report.findings[-1].remedy == "2099 年的放假安排尚未公布，转人工审查。"


def test_answers_and_columns_of_the_policy_itself() -> None:
    parts = [
        rule(
            'answers.kind == "rent" && answers.staff >= p.staff && contracts.all(c, c.tested_on'
            " <= c.signed_on)",
            "unknown: needs_person",
        ),
        numbers(staff="value: 10, unit: 人"),
        steps(("amount", "share(total(contracts), answers.wanted)")),
        "answers:",
        "  - {id: kind, label: 方式, type: choice, article: 第一条,",
        "     options: {rent: 租赁, buy: 购买}}",
        "  - {id: staff, label: 人数, type: count, article: 第一条}",
        "  - {id: wanted, label: 申请比例, type: rate, article: 第一条}",
        "contracts:",
        "  min: 1",
        "  max: 3",
        "  article: 第一条",
        "  columns:",
        "    - {id: tested_on, label: 检测日期, type: date, required: true}",
    ]
    answers = {"kind": "rent", "staff": 10, "wanted": {"millionths": 125_000}}
    deal = contract(amount=800, signed_on="2026-01-02", tested_on="2026-01-02")
    report = under(parts, {"answers": answers, "contracts": [deal]})
    assert (result(report), report.amount_fen) == ("pass", 100)
    read = {r.path: (r.value, r.place) for r in report.findings[-1].facts}
    assert read["answers.kind"] == ("租赁", "answers")
    assert read["contracts[1].tested_on"] == ("2026-01-02", "contracts")
    deal.pop("tested_on")
    finding = under(parts, {"answers": answers, "contracts": [deal]}).findings[-1]
    assert (finding.missing, finding.unknown_asks) == (("合同 1 的检测日期",), False)
    assert finding.remedy == "缺合同 1 的检测日期，由审查人员核实，不用补。"


def test_a_quota_is_worked_out_and_not_paid() -> None:
    quota = Path("seeds/policies/insurance_material-2024.yaml").read_text(encoding="utf-8")
    assert not load(quota).pays
    assert load(quota.replace("pays: false", "pays: true")).pays
    with pytest.raises(PolicyRefused, match="pays"):
        load(quota.replace("pays: false", "pays: 0.5"))
