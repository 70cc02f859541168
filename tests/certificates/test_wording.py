"""Words, numbers and terms, without a database."""

from datetime import date, datetime

import pytest

from catalogue.certificates import rules, wording
from catalogue.database import SHANGHAI
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


def at(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2027, month, day, hour, tzinfo=SHANGHAI)


SUSPENDED = (
    rules.Change("suspended", at(3, 1)),
    rules.Change("valid", at(3, 20)),
)
REVOKED = (*SUSPENDED, rules.Change("revoked", at(6, 1)))
REPLACED = (*SUSPENDED, rules.Change("replaced", at(6, 1), "SHCP-2027-0009"))


@pytest.mark.parametrize(
    ("day", "changes", "expected"),
    [
        (date(2026, 8, 30), (), "early"),
        (FROM, (), "valid"),
        (UNTIL, (), "valid"),
        (date(2028, 8, 31), (), "expired"),
        (date(2027, 2, 28), REVOKED, "valid"),
        (date(2027, 3, 1), REVOKED, "suspended"),
        (date(2027, 3, 10), REVOKED, "suspended"),
        (date(2027, 3, 20), REVOKED, "valid"),
        (date(2027, 3, 25), REVOKED, "valid"),
        (date(2027, 6, 1), REVOKED, "revoked"),
        (date(2028, 8, 31), REVOKED, "revoked"),
        (date(2027, 5, 31), REPLACED, "valid"),
        (date(2027, 6, 1), REPLACED, "replaced"),
    ],
)
def test_status_on_a_day(day: date, changes: tuple[rules.Change, ...], expected: str) -> None:
    assert rules.standing_on(day, (FROM, UNTIL), FROM, changes).id == expected


def test_a_certificate_without_its_file_is_registered() -> None:
    assert rules.standing_on(FROM, (FROM, UNTIL), None).id == "registered"


def test_a_day_that_saw_more_than_one_status_tells_so() -> None:
    changes = (rules.Change("suspended", at(3, 1, 10)), rules.Change("valid", at(3, 1, 15)))
    standing = rules.standing_on(date(2027, 3, 1), (FROM, UNTIL), FROM, changes)
    assert standing.id == "valid"
    assert "10:00 暂停、15:00 恢复" in standing.sentence
    assert (
        "SHCP-2027-0009"
        in rules.standing_on(at(7, 1).date(), (FROM, UNTIL), FROM, REPLACED).sentence
    )


def test_every_status_tells_which_may_follow_and_the_end_is_the_end() -> None:
    valid = rules.standing_on(FROM, (FROM, UNTIL), FROM)
    assert [s for s in rules.ACTS if rules.why_not(s, "suspended", valid) is None] == [
        "valid",
        "revoked",
    ]
    for ended in ("revoked", "replaced"):
        assert all(rules.why_not(status, ended, valid) for status in rules.ACTS)
    expired = rules.standing_on(date(2030, 1, 1), (FROM, UNTIL), FROM)
    assert rules.why_not("suspended", "valid", expired)
    assert rules.why_not("revoked", "valid", expired) is None


def test_later_words_change_no_older_hash() -> None:
    assert not {"replaces", "issuer", "status_url", "codes"} & words().as_json().keys()
    more = words(replaces="SHCP-2025-0001", codes={"kind": "equipment"})
    assert wording.Wording.from_json(more.as_json()) == more


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
