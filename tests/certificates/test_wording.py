"""Words, numbers and terms, without a database."""

from datetime import date

import pytest

from catalogue.certificates import rules, wording
from tests.certificates.specimen import words

FROM, UNTIL = date(2026, 8, 31), date(2028, 8, 30)


@pytest.mark.parametrize(
    ("first", "years", "last"),
    [
        (date(2026, 8, 31), 2, date(2028, 8, 30)),
        (date(2026, 1, 1), 2, date(2027, 12, 31)),
        (date(2028, 2, 29), 2, date(2030, 2, 28)),
        (date(2026, 3, 1), 2, date(2028, 2, 29)),
    ],
)
def test_a_term_of_years_ends_the_day_before(first: date, years: int, last: date) -> None:
    assert wording.last_day(first, years) == last


def test_same_words_have_one_hash_and_any_change_another() -> None:
    assert words().sha256 == words().sha256
    assert words(model="SL-E301").sha256 != words().sha256
    assert wording.Wording.from_json(words().as_json()) == words()


def test_foreign_json_is_not_a_wording() -> None:
    with pytest.raises(ValueError, match="certificate-wording"):
        wording.Wording.from_json({"format": "something/9"})


def test_validity_is_told_in_both_languages() -> None:
    assert words().validity == ("两年", "two years")
    assert words(valid_until="2026-09-09").validity == ("10 日", "10 days")


@pytest.mark.parametrize(
    ("day", "issued", "revoked", "expected"),
    [
        (date(2026, 8, 30), FROM, None, "early"),
        (FROM, FROM, None, "valid"),
        (UNTIL, FROM, None, "valid"),
        (date(2028, 8, 31), FROM, None, "expired"),
        (date(2027, 3, 9), FROM, date(2027, 3, 10), "valid"),
        (date(2027, 3, 10), FROM, date(2027, 3, 10), "revoked"),
        (FROM, None, None, "registered"),
    ],
)
def test_status_on_a_day(day: date, issued: date, revoked: date, expected: str) -> None:
    assert rules.standing_on(day, FROM, UNTIL, issued, revoked).id == expected


@pytest.mark.parametrize(
    "typed",
    [
        "SHCP-2026-0147",
        " shcp-2026-0147 ",
        "ＳＨＣＰ－２０２６－０１４７",
        "SHCP20260147",
        "沪创荐（示）〔2026〕0147 号",
        "沪首套〔2026〕0147号",
    ],
)
def test_a_number_is_understood_in_any_spelling(typed: str) -> None:
    assert rules.normal_number(typed) == "SHCP-2026-0147"


@pytest.mark.parametrize("typed", ["", "0147", "SHCP-26-0147", "SB-2026-0001", "<script>"])
def test_other_text_is_no_number(typed: str) -> None:
    assert rules.normal_number(typed) is None


def test_statement_does_not_hide_an_objection() -> None:
    quiet, _ = rules.statement("catalogue", 2026, 3, objected=False)
    objected, english = rules.statement("first_set", 2026, 3, objected=True)
    assert "公示无异议" in quiet
    assert "无异议" not in objected
    assert "所提异议经核查不成立" in objected
    assert "objections examined and dismissed" in english


def test_tier_drops_a_note_about_the_source() -> None:
    assert rules.tier_words("improved", "其他创新（档名未见）", None, "")[0] == "其他创新"


@pytest.mark.parametrize(
    ("number", "words_of_it"),
    [(1, "一"), (3, "三"), (10, "十"), (12, "十二"), (20, "二十"), (99, "九十九")],
)
def test_batches_are_counted_in_chinese(number: int, words_of_it: str) -> None:
    assert rules.ordinal_chinese(number) == words_of_it
