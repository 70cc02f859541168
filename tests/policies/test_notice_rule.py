"""Whether a corrected notice runs anew: what a policy says, and what it means when it is silent."""

from __future__ import annotations

import pytest

from catalogue.policies.comparison import compare
from catalogue.policies.document import Ruling
from catalogue.policies.rules import PolicyRefused, load
from tests.policies.small import TEXT

SAID = "notice: {working_days: 5, placeholder: true}"


def with_notice(entry: str) -> Ruling:
    assert SAID in TEXT
    return load(TEXT.replace(SAID, f"notice: {entry}")).notice_restarts


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("5", Ruling(value=True, placeholder=True)),
        ("{working_days: 5}", Ruling(value=True, placeholder=True)),
        (
            "{working_days: 5, restart_on_correction: false}",
            Ruling(value=False, placeholder=False),
        ),
        (
            "{working_days: 5, restart_on_correction: true, placeholder: true}",
            Ruling(value=True, placeholder=True),
        ),
    ],
)
def test_a_silent_policy_restarts_as_a_placeholder(entry: str, expected: Ruling) -> None:
    assert with_notice(entry) == expected


@pytest.mark.parametrize("wrong", ["是", "1", "[]"])
def test_only_yes_or_no_is_taken(wrong: str) -> None:
    with pytest.raises(PolicyRefused, match="restart_on_correction"):
        with_notice(f"{{working_days: 5, restart_on_correction: {wrong}}}")


def test_a_change_of_it_is_told() -> None:
    new = TEXT.replace(SAID, "notice: {working_days: 5, restart_on_correction: false}")
    told = [
        change
        for part in compare(load(TEXT), load(new)).sections
        for change in part.changes
        if change.title == "公示更正"
    ]
    assert [(change.old.words, change.new.words) for change in told] == [
        ("更正后重新计算公示期", "更正后公示期不变")
    ]
