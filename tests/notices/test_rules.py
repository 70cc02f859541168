"""The public period, day by day, and the bytes that a notice's hash is taken of."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.database import SHANGHAI
from catalogue.notices import rules
from catalogue.working_days import UnknownYear, is_working_day


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_the_day_of_publication_is_not_counted() -> None:
    span = rules.period(at("2026-11-23T09:00"), 5, SHANGHAI)
    assert span.closes_at == at("2026-11-30T17:00")
    assert span.counted[0] == {
        "day": "2026-11-23",
        "why": "公示开始的当日，不计入",
        "number": None,
    }


def test_swap_days_around_national_day_2026_are_counted() -> None:
    # 2026: 1 to 7 October are free; the Sundays 20 September and 10 October (Saturday) are worked.
    span = rules.period(at("2026-09-30T10:00"), 3, SHANGHAI)
    lines = {line["day"]: line for line in span.counted}
    assert [line["number"] for line in span.counted if line["number"]] == [1, 2, 3]
    assert all(lines[f"2026-10-0{n}"]["number"] is None for n in range(1, 8))
    assert lines["2026-10-08"]["number"] == 1
    assert lines["2026-10-10"] == {"day": "2026-10-10", "why": "调休上班", "number": 3}
    assert span.closes_at == at("2026-10-10T17:00")


def test_the_sunday_before_national_day_2026_is_worked() -> None:
    span = rules.period(at("2026-09-18T10:00"), 1, SHANGHAI)
    lines = {line["day"]: line["why"] for line in span.counted}
    assert lines == {
        "2026-09-18": "公示开始的当日，不计入",
        "2026-09-19": "周末",
        "2026-09-20": "调休上班",
    }


def test_the_day_is_that_of_shanghai() -> None:
    late = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)  # already the 24th in Shanghai
    assert rules.period(late, 1, SHANGHAI).closes_at == at("2026-11-25T17:00")


def test_an_unpublished_year_is_refused_not_guessed() -> None:
    with pytest.raises(UnknownYear):
        rules.period(at("2040-01-03T09:00"), 5, SHANGHAI)


def test_a_period_without_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="working day"):
        rules.period(at("2026-11-23T09:00"), 0, SHANGHAI)


@given(st.dates(date(2024, 1, 1), date(2026, 11, 1)), st.integers(1, 30))
def test_a_period_holds_its_number_of_working_days(day: date, count: int) -> None:
    span = rules.period(datetime(day.year, day.month, day.day, 9, tzinfo=SHANGHAI), count, SHANGHAI)
    last = span.closes_at.date()
    assert span.closes_at.hour == 17
    assert is_working_day(last)
    worked = [line for line in span.counted if line["number"]]
    assert [line["number"] for line in worked] == list(range(1, count + 1))
    assert worked[-1]["day"] == last.isoformat()
    assert len(span.counted) == (last - day).days + 1


def test_canonical_bytes_do_not_depend_on_the_order_of_keys() -> None:
    one = {"title": "公示", "items": [{"b": 1, "a": None}]}
    other = {"items": [{"a": None, "b": 1}], "title": "公示"}
    assert rules.canonical(one) == rules.canonical(other)
    assert json.loads(rules.canonical(one)) == one
    assert rules.digest(one) == hashlib.sha256(rules.canonical(one)).hexdigest()


def test_receipt_codes_are_long_unlike_and_readable() -> None:
    codes = {rules.new_receipt_code() for _ in range(500)}
    assert len(codes) == 500
    assert all(len(code) == 26 and not set(code[3:]) & set("01OIL") for code in codes)


def test_titles_name_the_scheme_once() -> None:
    assert (
        rules.title_of("2026 年度第一批", "first_version", "首版次软件")
        == "2026 年度第一批首版次软件拟支持名单公示"
    )
    assert (
        rules.title_of("2026 年度第三批创新产品推荐目录", "catalogue", "创新产品推荐目录")
        == "2026 年度第三批创新产品推荐目录拟入选名单公示"
    )
