"""Pure rules: masks, account numbers, honours, the sealed text, the credit code in words."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.enterprises import cipher, rules, taxonomies
from catalogue.forms import credit_code_problem

KEY = bytes(range(32))


def test_a_stranger_sees_only_the_first_character_of_a_name() -> None:
    assert rules.masked_name("王演示") == "王**"
    assert rules.masked_name("李") == "李*"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1001 2345 6789 0123 456", None),
        ("1001-2345-6789", None),
        ("10012345678", "账号应为 12 到 32 位数字，现在是 11 位"),
        ("1" * 33, "现在是 33 位"),
        ("12345678901X", "账号只含数字"),
        ("１２３４５６７８９０１２", "账号只含数字"),
    ],
)
def test_account_numbers(text: str, problem: str | None) -> None:
    found = rules.account_problem(rules.account_digits(text))
    assert (found is None) if problem is None else (problem in found)


def test_the_holder_may_differ_in_the_width_of_brackets_only() -> None:
    assert rules.same_holder("示例(上海)有限公司", "示例（上海）有限公司")
    assert not rules.same_holder("示例有限公司", "示例（上海）有限公司")


@pytest.mark.parametrize(
    ("expires", "words"),
    [
        (None, "长期有效"),
        (date(2026, 11, 24), "剩 0 天"),
        (date(2026, 11, 23), "已过期"),
        (date(2027, 2, 22), "剩 90 天"),
        (date(2027, 2, 23), "有效"),
    ],
)
def test_an_honour_holds_through_its_last_day(expires: date | None, words: str) -> None:
    assert rules.honour_state(expires, date(2026, 11, 24))[1] == words


def test_missing_facts_are_named_in_page_order() -> None:
    facts = {"district": "310115", "address": "", "contact_name": "王演示"}
    assert rules.missing_facts(facts) == ["成立日期", "地址", "联系电话"]


@given(st.text(alphabet="0123456789", min_size=12, max_size=32))
def test_a_sealed_number_opens_only_for_its_owner_and_key(number: str) -> None:
    sealed = cipher.seal(number, KEY, "firm-a")
    assert number not in sealed
    assert cipher.unseal(sealed, KEY, "firm-a") == number
    for key, owner in ((KEY, "firm-b"), (bytes(32), "firm-a")):
        with pytest.raises(cipher.Unreadable):
            cipher.unseal(sealed, key, owner)


@pytest.mark.parametrize("text", ["", "v1:", "v1:!!!", "v2:AAAA", "plain 1001234567890123"])
def test_a_broken_seal_says_so(text: str) -> None:
    with pytest.raises(cipher.Unreadable):
        cipher.unseal(text, KEY, "firm-a")


def test_two_seals_of_one_number_differ() -> None:
    assert cipher.seal("123456789012", KEY, "a") != cipher.seal("123456789012", KEY, "a")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("91310115MA1K4ABC5", "应为 18 位，现在是 17 位"),
        ("91310115MAOK4ABC5X", "代码里不会有 O"),
        ("913101150000000011", "第 18 位校验码应为"),
    ],
)
def test_the_credit_code_is_refused_in_words(code: str, words: str) -> None:
    problem = credit_code_problem(code)
    assert problem is not None
    assert words in problem


def test_names_of_districts_and_honours() -> None:
    assert taxonomies.district_name("310115") == "浦东新区"
    assert taxonomies.district_name("999999") == "999999"
    assert taxonomies.district_name(None) == ""
    assert taxonomies.honour_name("hnte") == "高新技术企业"
    assert len(taxonomies.district_choices()) == 16
    assert taxonomies.honour_validity("champion_firm") == 3
