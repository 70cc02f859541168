"""Pure rules of specification lines and the names of tiers and domains."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.products import rules, taxonomies


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3.2", Decimal("3.2")),
        ("-40", Decimal(-40)),
        ("1,200", Decimal(1200)),
        ("0.000001", Decimal("0.000001")),
        ("0.0000001", None),
        ("1e3", None),
        ("NaN", None),
        ("1" * 13, None),
        ("", None),
        ("三", None),
    ],
)
def test_plain_numbers(text: str, number: Decimal | None) -> None:
    assert rules.plain_number(text) == number


@given(st.text())
def test_any_text_is_a_number_of_the_table_or_none(text: str) -> None:
    number = rules.plain_number(text)
    assert number is None or (number.is_finite() and abs(number) < 10**12)


def test_a_value_fits_its_relation() -> None:
    assert rules.value_problem("ge", "3.2") is None
    assert "请填数字" in (rules.value_problem("ge", "很高") or "")
    assert rules.value_problem("text", "两级") is None
    assert rules.value_problem("text", "") == "请填写内容"


def test_the_second_of_two_equal_keys_is_found() -> None:
    assert rules.repeated([1, 2, 1]) == 2
    assert rules.repeated([1, 2]) is None


def test_names_and_choices() -> None:
    assert taxonomies.domain_name("sw_industrial") == "工业软件"
    assert ("sw_industrial", "新兴数字产业：工业软件") in taxonomies.domain_choices()
    assert taxonomies.novelty_name("original") == "首创"
    assert taxonomies.advancement_name("intl_lead") == "国际领先"
    assert taxonomies.advancement_name(None) == ""
    assert taxonomies.domain_name("gone") == "gone"
    assert next(key for key, _ in taxonomies.advancement_choices()) == "intl_lead"
    assert [key for key, _ in taxonomies.novelty_choices()] == ["original", "major", "improved"]
