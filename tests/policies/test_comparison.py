"""What changed between two versions: in words, and whom it helps or hurts."""

from __future__ import annotations

import pytest

from catalogue.policies.comparison import Change, Comparison, compare
from catalogue.policies.rules import load
from tests.policies.small import TEXT, changed

OLD = load(TEXT)


def against(text: str) -> Comparison:
    return compare(OLD, load(text, run_examples=False))


def only(comparison: Comparison, section: str) -> Change:
    (found,) = (s for s in comparison.sections if s.id == section)
    (change,) = found.changes
    return change


@pytest.mark.parametrize(
    ("old", "new", "effect", "who"),
    [
        ("value: 1000.00", "value: 300.00", "gain",
         "门槛由 1,000.00 元 降为 300.00 元：更多单位符合"),
        ("value: 1000.00", "value: 1000.01", "lose",
         "门槛由 1,000.00 元 升为 1,000.01 元：更少单位符合"),
        ("value: 0.333333", "value: 0.50", "gain", "比例由 33.3333% 升为 50%：金额更高"),
        ("value: 0.333333", "value: 0.30", "lose", "比例由 33.3333% 降为 30%：金额更低"),
    ],
)  # fmt: skip
def test_a_number_tells_its_direction_and_who_gains(
    old: str, new: str, effect: str, who: str
) -> None:
    comparison = against(changed(old, new))
    change = only(comparison, "parameters")
    assert (change.effect, change.who, change.kind) == (effect, who, "改动")
    # The rule reads the same but for its number, so it is told once, with the number.
    assert [section.id for section in comparison.sections] == ["parameters"]


def test_equal_rules_have_nothing_to_tell() -> None:
    comparison = against(changed('"T-1"', '"T-2"'))
    assert comparison.sections == ()
    assert comparison.moved == ()


def test_a_number_that_loses_its_text_is_told() -> None:
    change = only(
        against(changed("article: 第一条, confidence: 见}\n  rate",
                        "article: 第一条, confidence: 缺, placeholder: true}\n  rate")),
        "parameters",
    )  # fmt: skip
    assert (change.effect, change.who) == ("even", "没有公开文字，改为示范")
    assert change.new is not None
    assert change.new.placeholder


SECOND = """
  - id: count
    title: 合同个数
    article: 第一条
    require: count(contracts) <= 3
    words: 至多 3 个合同
    read: '{count(contracts)} 个'
    otherwise: ineligible
stages:"""


def test_a_new_condition_hurts_and_a_dropped_one_helps() -> None:
    more = load(changed("\nstages:", SECOND), run_examples=False)
    added = only(compare(OLD, more), "rules")
    assert (added.kind, added.effect, added.old) == ("新增", "lose", None)
    assert added.who == "多一个条件：不满足的判不符合"
    dropped = only(compare(more, OLD), "rules")
    assert (dropped.kind, dropped.effect, dropped.new) == ("取消", "gain", None)


def test_what_follows_a_failure_is_part_of_the_rule() -> None:
    milder = changed("    otherwise: ineligible", "    otherwise: needs_person")
    change = only(against(milder), "rules")
    assert (change.effect, change.who) == ("gain", "不符时由判不符合改为转人工审查")
    harder = only(compare(load(milder, run_examples=False), OLD), "rules")
    assert harder.effect == "lose"
    assert against(milder).moved == (("不符合", "转人工", 1),)


def test_a_condition_written_anew_is_judged_by_the_cases() -> None:
    text = changed("total(contracts) >= p.floor", "total(contracts) > p.floor").replace(
        "累计不低于", "累计高于"
    )
    change = only(against(text), "rules")
    assert (change.effect, change.who) == ("lose", "更少单位符合")
    assert change.old is not None
    assert change.old.words == "累计不低于 1,000.00 元；不符时判不符合"
    assert change.old.url == "/schemes/first_version/T-1#article-1"


def test_stages_and_materials_are_compared() -> None:
    text = changed(
        "stages: [formal_check, committee, notice]",
        "materials:\n  - {id: license, name: 营业执照, required: true, article: 第一条}\n"
        "stages: [formal_check, expert_review, committee, notice]",
    )
    comparison = against(text)
    assert only(comparison, "materials").who == "必交的多一件"
    course = only(comparison, "course")
    assert course.new is not None
    assert course.new.words == "形式审查 → 专家评审 → 审定 → 公示"
