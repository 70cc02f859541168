"""Working days of the State Council's calendar, swap days (调休) included."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar


class UnknownYear(ValueError):
    """The calendar package does not know this year; a guess would be wrong in law."""


def is_working_day(day: date) -> bool:
    """Whether offices work on ``day``; raises UnknownYear beyond the published calendars."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError as error:
        raise UnknownYear(f"{day.year} 年的放假安排尚未公布") from error


def add_working_days(day: date, count: int) -> date:
    """The ``count``-th working day after ``day``; the day itself is not counted."""
    while count > 0:
        day += timedelta(days=1)
        if is_working_day(day):
            count -= 1
    return day


def working_days_between(start: date, end: date) -> int:
    """Working days after ``start`` up to and including ``end``; negative when it has passed."""
    if end < start:
        return -working_days_between(end, start)
    return sum(
        is_working_day(start + timedelta(days=offset))
        for offset in range(1, (end - start).days + 1)
    )
