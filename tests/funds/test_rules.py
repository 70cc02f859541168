"""Selections out of addresses, account checks, and what holds a line back."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.funds import rules, selection

SCHEMES = {"first_set": "首台套装备", "first_version": "首版次软件"}
DISTRICTS = {"310115": "浦东新区"}


def parse(**arguments: str) -> selection.Selection:
    return selection.parse(arguments, 2026, SCHEMES, DISTRICTS)


def test_no_argument_means_every_due_line_of_the_newest_year() -> None:
    chosen = parse()
    assert chosen == selection.Selection(year=2026)
    assert chosen.arguments == {"year": "2026"}
    assert not chosen.problems


@pytest.mark.parametrize(
    "amount", ["-1", "0.005", "1e400", "NaN", "Infinity", "１００", "0x10", "9" * 14, "1.2.3", "٣"]
)
def test_only_plain_amounts_are_accepted(amount: str) -> None:
    chosen = parse(min=amount)
    assert chosen.min_fen == 0
    assert [p.name for p in chosen.problems] == ["min"]


def test_separated_amounts_are_read() -> None:
    assert parse(min="100,000.00").min_fen == 10_000_000
    assert parse(min="0").arguments == {"year": "2026"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scheme", "catalogue"),
        ("state", "draft"),
        ("account", "x"),
        ("district", "999999"),
        ("year", "二〇二六"),
        ("year", "1"),
        ("sort", "amount; drop table award"),
        ("q", "x" * 61),
    ],
)
def test_a_condition_that_does_not_exist_is_named_and_dropped(name: str, value: str) -> None:
    chosen = parse(**{name: value})
    assert [p.name for p in chosen.problems] == [name]
    assert chosen == parse()


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "year": st.sampled_from(["2025", "2026"]),
            "scheme": st.sampled_from(list(SCHEMES)),
            "state": st.sampled_from(list(rules.STATES)),
            "account": st.sampled_from(list(rules.ACCOUNT_CHECKS)),
            "district": st.just("310115"),
            "min": st.integers(0, 10**14).map(lambda f: f"{f // 100}.{f % 100:02d}"),
            "q": st.text(max_size=20),
            "sort": st.sampled_from(list(selection.SORTS)),
        },
    )
)
def test_an_address_leads_back_to_the_same_selection(arguments: dict[str, str]) -> None:
    chosen = parse(**arguments)
    assert parse(**chosen.arguments) == chosen


def test_sorting_twice_turns_the_order_round() -> None:
    chosen = parse()
    assert chosen.sorted_by("amount").sort == "amount"
    assert chosen.sorted_by("amount").sorted_by("amount").sort == "-amount"
    assert chosen.sorted_by("firm").sort == "firm"
    assert chosen.sorted_by("firm").sorted_by("firm").sort == "-firm"


@pytest.mark.parametrize("text", [None, "", "0", "-3", "x", "1e9", "９", "9" * 40])
def test_a_page_that_is_none_is_the_first(text: str | None) -> None:
    assert selection.page_number(text) == 1


def test_account_must_belong_to_the_firm() -> None:
    assert rules.account_check("示例(上海) 有限公司", "示例（上海）有限公司") == "matches"
    assert rules.account_check("示例集团有限公司", "示例（上海）有限公司") == "mismatch"
    assert rules.account_check(None, "示例（上海）有限公司") == "missing"


def test_paid_lines_count_and_released_ones_never_do() -> None:
    counted = {
        (state, check)
        for state, check in product(rules.STATES, rules.ACCOUNT_CHECKS)
        if rules.held_because(state, check) is None
    }
    assert counted == {
        ("reserved", "matches"),
        ("committed", "matches"),
        ("paid", "matches"),
        ("paid", "mismatch"),
        ("paid", "missing"),
    }


def test_articles_are_named_once_in_order() -> None:
    steps = [{"article": "第五条"}, {"article": None}, {"article": "第八条"}, {"article": "第五条"}]
    assert rules.articles_of(steps) == "第五条、第八条"


def test_shortfall_says_free_needed_and_missing() -> None:
    words = rules.shortfall_words("首版次软件", 2026, 10_000, 25_050)
    assert "100.00" in words and "250.50" in words and "150.50" in words
