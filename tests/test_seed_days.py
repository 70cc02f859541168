"""The demo data and the tests' own cases hold on whatever day they are made."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from catalogue.working_days import add_working_days
from seeds.stories import announced_on, contract_rows

LEADS = (6, 14, 20, 22, 30)  # days until a seeded round closes
DAYS = [
    date(2026, 1, 1),
    date(2026, 1, 15),
    date(2026, 2, 28),
    date(2026, 7, 1),
    date(2026, 11, 24),
    date(2026, 12, 12),
    date(2026, 12, 31),
    date(2028, 2, 29),
]


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_contracts_pass_every_schemes_dates_in_any_season(today: date) -> None:
    for lead in LEADS:
        closes_on = today + timedelta(days=lead)
        rows = contract_rows(today.year, closes_on, (1, 2, 3), "HT")
        for row in rows:
            signed, invoiced = row["signed_on"], row["invoiced_on"]
            assert invoiced.year == today.year  # first_batch
            assert date(today.year - 1, 4, 1) <= signed <= closes_on  # first_set
            assert closes_on - timedelta(days=540) <= invoiced <= closes_on  # first_version
            assert signed <= invoiced <= today


@pytest.mark.parametrize("days", [5, 7, 15])
def test_a_seeded_notice_ends_in_a_year_whose_calendar_is_known(days: int) -> None:
    assert announced_on(date(2026, 11, 24), days) == date(2026, 11, 24)
    late = announced_on(date(2026, 12, 30), days)
    assert date(2026, 12, 1) < late < date(2026, 12, 30)
    assert add_working_days(late, days).year == 2026
