"""What a person must judge, what a sheet allows, and how the clock runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from catalogue.policies.document import PolicyDocument
from catalogue.policies.rules import load
from catalogue.reviews import rules
from catalogue.reviews.rules import Item, Judgement


@pytest.fixture(scope="module")
def document() -> PolicyDocument:
    return load(Path("seeds/policies/first_version-2020.yaml").read_text("utf-8"))


def finding(rule: str, result: str, **more: Any) -> dict[str, Any]:
    return {"rule": rule, "title": rule, "result": result, "article": "申报要求3", **more}


def item(key: str, field: str | None, choose: bool = False) -> Item:
    return Item(key, key, "", "只能人看", "plain", field, choose, "", None)


ITEMS = [item("product", "product"), item("finding-x", None, True), item("contracts", "contracts")]


def test_only_what_the_machine_could_not_tick_is_asked(document: PolicyDocument) -> None:
    found = rules.items_to_judge(
        document,
        [finding("total-sales", "pass"), finding("a", "unknown"), finding("b", "fail")],
        {"fv_test"},
    )
    keys = [i.key for i in found]
    assert keys[:2] == ["finding-b", "finding-a"]
    assert "finding-total-sales" not in keys
    assert {"people-1", "product", "answers-innovation", "contracts", "material-fv_test"} <= set(
        keys
    )
    # A yes/no answer is read by a rule; an optional material that was not given is no fault.
    assert "answers-same_version" not in keys
    assert "material-fv_form" not in keys
    assert len(keys) == len(set(keys))


def test_every_field_to_send_back_has_a_label(document: PolicyDocument) -> None:
    labels = rules.fields_of(document)
    findings = [finding(rule.id, "fail") for rule in document.rules]
    fields = {i.field for i in rules.items_to_judge(document, findings, set()) if i.field}
    assert fields <= labels.keys()


def test_a_rule_leads_to_the_part_that_it_reads(document: PolicyDocument) -> None:
    by_id = {rule.id: rule for rule in document.rules}
    assert rules.field_of_rule(by_id["total-sales"]) == "contracts"
    assert rules.field_of_rule(None) is None


def test_tally_counts_and_leaves_the_unjudged_open() -> None:
    counted = rules.tally(
        ITEMS, {"product": Judgement("pass"), "contracts": Judgement("skip")}, None
    )
    assert (counted.passed, counted.to_correct, counted.skipped, counted.open) == (1, 0, 1, 1)
    assert counted.judged == 2
    assert counted.problems == {}


@pytest.mark.parametrize(
    ("key", "judgement", "told", "words"),
    [
        ("product", Judgement("correct"), None, "请写明要改什么"),
        ("finding-x", Judgement("correct", "改"), None, "请选择退回哪一项"),
        ("product", Judgement("correct", "改"), {"contracts"}, "只告知一次"),
        ("finding-x", Judgement("correct", "改", "product"), {"contracts"}, "只告知一次"),
    ],
)
def test_a_correction_needs_a_field_a_note_and_its_first_time(
    key: str, judgement: Judgement, told: set[str] | None, words: str
) -> None:
    assert words in rules.tally(ITEMS, {key: judgement}, told).problems[key]


def test_a_field_told_before_may_be_told_again() -> None:
    sheet = {"contracts": Judgement("correct", "还缺一页")}
    assert rules.tally(ITEMS, sheet, {"contracts"}).problems == {}


def test_a_field_is_sent_back_once_with_all_notes() -> None:
    sheet = {
        "finding-x": Judgement("correct", "补发票", "contracts"),
        "contracts": Judgement("correct", "补盖章页"),
    }
    assert rules.correction_items(ITEMS, sheet, {"contracts": "合同与到账"}) == [
        {"field": "contracts", "label": "合同与到账", "note": "补发票；补盖章页"}
    ]


def test_the_clock_stands_while_the_firm_corrects() -> None:
    changes = [
        (date(2026, 11, 2), "eligible"),  # Monday
        (date(2026, 11, 3), "formal_check"),
        (date(2026, 11, 4), "correcting"),
        (date(2026, 11, 16), "formal_check"),
    ]
    assert rules.elapsed(changes, rules.REVIEW_STATES, date(2026, 11, 18)) == 4
    assert rules.elapsed(changes, rules.COMMITTEE_STATES, date(2026, 11, 18)) == 0


def test_what_is_left_of_a_promise() -> None:
    assert rules.deadline_of(3, 5, date(2026, 11, 18)) == (2, date(2026, 11, 20))
    assert rules.deadline_of(5, 5, date(2026, 11, 18)) == (0, date(2026, 11, 18))
    assert rules.deadline_of(7, 5, date(2026, 11, 18)) == (-2, None)


def test_the_machine_in_one_line() -> None:
    found = [finding("a", "pass"), finding("b", "pass"), finding("c", "unknown")]
    assert rules.machine_words(found) == "2 符合 / 1 无法判定"
    assert rules.machine_words([]) == "未核验"
