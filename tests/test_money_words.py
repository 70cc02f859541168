"""大写金额: the official examples, and a reader of our own that leads back to the fen."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalogue.money import MAX_FEN, money_words

# 《正确填写票据和结算凭证的基本规定》, its own examples (the second form where it gives two).
OFFICIAL = [
    (140_950, "壹仟肆佰零玖元伍角"),
    (600_714, "陆仟零柒元壹角肆分"),
    (168_032, "壹仟陆佰捌拾元叁角贰分"),
    (10_700_053, "壹拾万零柒仟元伍角叁分"),
    (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
    (32_504, "叁佰贰拾伍元零肆分"),
]
OURS = [
    (0, "零元整"),
    (1, "壹分"),
    (10, "壹角"),
    (100, "壹元整"),
    (1_470_897_600, "壹仟肆佰柒拾万零捌仟玖佰柒拾陆元整"),
    (1_298_060_050, "壹仟贰佰玖拾捌万零陆佰元伍角"),
    (21_240_000, "贰拾壹万贰仟肆佰元整"),
    (1_000_000_000, "壹仟万元整"),
    (10_000_000_000, "壹亿元整"),
    (10_000_000_100, "壹亿零壹元整"),
    (100_000_000_000_000, "壹万亿元整"),
    (
        123_456_789_012_345_678,
        "壹仟贰佰叁拾肆万伍仟陆佰柒拾捌亿玖仟零壹拾贰万叁仟肆佰伍拾陆元柒角捌分",
    ),
]
VALUES = {character: value for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")}
UNITS = {"拾": 10, "佰": 100, "仟": 1000}


def read_whole(words: str) -> int:
    """The number of a whole part, read as a person reads it: big units first."""
    for unit, worth in (("亿", 10**8), ("万", 10**4)):
        before, found, after = words.rpartition(unit)
        if found:
            return read_whole(before) * worth + read_whole(after)
    number, pending = 0, 0
    for character in words:
        if character in UNITS:
            number, pending = number + pending * UNITS[character], 0
        else:
            pending = VALUES[character]
    return number + pending


def read(words: str) -> int:
    """Whole fen of 大写金额."""
    match = re.fullmatch(r"(?:(.+)元)?(?:整|零?(?:(.)角)?零?(?:(.)分)?)", words)
    assert match, words
    whole, jiao, odd = match.groups()
    fen = read_whole(whole) * 100 if whole else 0
    return fen + (VALUES[jiao] * 10 if jiao else 0) + (VALUES[odd] if odd else 0)


@pytest.mark.parametrize(("fen", "words"), OFFICIAL + OURS)
def test_amount_is_written_as_the_rules_say(fen: int, words: str) -> None:
    assert money_words(fen) == words


amounts = st.one_of(
    st.integers(0, MAX_FEN - 1),
    st.integers(0, 10**7),
    st.lists(st.sampled_from("0001234567890000"), min_size=1, max_size=17).map(
        lambda digits: int("".join(digits))
    ),
)


@given(amounts)
@example(10**15)
@example(100_050_000_000)
def test_words_read_back_to_the_same_fen(fen: int) -> None:
    assert read(money_words(fen)) == fen


@given(amounts)
def test_words_keep_the_form(fen: int) -> None:
    words = money_words(fen)
    assert "零零" not in words
    assert not re.search(r"零[万亿拾佰仟角分]", words)
    assert words.endswith("整") == (fen % 100 == 0)
    assert "亿亿" not in words and "万万" not in words
    assert not words.startswith("零") or fen == 0


@given(amounts, amounts)
def test_different_amounts_have_different_words(one: int, other: int) -> None:
    assert (money_words(one) == money_words(other)) == (one == other)


@pytest.mark.parametrize("fen", [-1, MAX_FEN])
def test_amounts_outside_the_range_are_refused(fen: int) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        money_words(fen)
