"""What the database itself refuses, each with an attempt to break it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from catalogue.funds import operations
from catalogue.funds.models import Award, Budget, BudgetEntry
from catalogue.funds.rules import ACCOUNT_CHECKS, STATES, held_because
from catalogue.funds.selection import Selection
from tests import builders
from tests.funds.awards import award


def refused(session: Any, statement: str, match: str) -> None:
    """The statement fails for the named reason and leaves nothing behind."""
    with pytest.raises((IntegrityError, DBAPIError), match=match), session.begin_nested():
        session.execute(text(statement))


@pytest.fixture
def kept(session: Any) -> Award:
    """One committed award of 100.00 out of a budget of 1,000.00."""
    builders.budget(total_fen=1_000_00)
    made = award()
    session.commit()
    return made


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("total_fen = -1", "ck_budget_"),
        ("reserved_fen = -1", "ck_budget_amounts"),
        ("committed_fen = -1", "ck_budget_amounts"),
        ("paid_fen = -1", "ck_budget_amounts"),
        ("total_fen = 99", "ck_budget_cap"),
        ("reserved_fen = 90001", "ck_budget_cap"),
        ("committed_fen = 100001", "ck_budget_cap"),
        ("paid_fen = 90001", "ck_budget_cap"),
        ("scheme = 'first_set'", "frozen"),
        ("year = 2001", "frozen"),
    ],
)
def test_budget_columns_stay_true(session: Any, kept: Award, change: str, match: str) -> None:
    refused(session, f"UPDATE budget SET {change}", match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("amount_fen = 1", "frozen"),
        ("worksheet = '[]'", "frozen"),
        ("firm = '别家'", "frozen"),
        ("credit_code = 'x'", "frozen"),
        ("contracts = 'x'", "frozen"),
        ("state = 'reserved'", "does not go"),
        ("state = 'draft'", "does not go"),
        ("state = 'released'", "ck_award_released"),
        ("committed_at = NULL", "ck_award_committed"),
        ("account_check = 'missing'", "ck_award_account"),
        ("bank_account_id = NULL", "ck_award_account"),
        ("account_check = 'ok'", "ck_award_"),
    ],
)
def test_award_keeps_what_was_approved(session: Any, kept: Award, change: str, match: str) -> None:
    refused(session, f"UPDATE award SET {change}", match)


def test_released_money_never_comes_back(session: Any) -> None:
    builders.budget()
    made = award("released")
    for state in ("reserved", "committed", "paid"):
        refused(
            session,
            f"UPDATE award SET state = '{state}', released_at = NULL WHERE id = {made.id}",
            "does not go",
        )


@pytest.mark.parametrize("table", ["award", "budget", "budget_entry", "list_file"])
def test_no_row_of_money_is_ever_deleted(session: Any, kept: Award, table: str) -> None:
    finance = builders.user("finance")
    operations.hand_out(Selection(year=kept.budget.year), "csv", finance)
    session.flush()
    refused(session, f"DELETE FROM {table}", "never deleted|append-only")


@pytest.mark.parametrize("table", ["budget_entry", "list_file"])
def test_ledger_and_files_are_append_only(session: Any, kept: Award, table: str) -> None:
    finance = builders.user("finance")
    operations.hand_out(Selection(year=kept.budget.year), "csv", finance)
    session.flush()
    refused(session, f"UPDATE {table} SET at = now()", "append-only")
    refused(session, f"TRUNCATE {table} CASCADE", "append-only")


def test_one_award_per_claim_and_one_budget_per_year(session: Any, kept: Award) -> None:
    columns = ", ".join(c.name for c in Award.__table__.columns if c.name not in ("id", "number"))
    values = columns.replace("state", "'reserved'").replace("committed_at", "NULL")
    refused(
        session,
        f"INSERT INTO award ({columns}, number) SELECT {values}, 'SB-2026-9999' FROM award",
        "uq_award_application_id",
    )
    refused(
        session,
        "INSERT INTO budget (scheme, year, total_fen, reserved_fen, committed_fen, paid_fen,"
        " placeholder, created_at, changed_at)"
        " SELECT scheme, year, 1, 0, 0, 0, false, now(), now() FROM budget",
        "uq_budget_scheme_year",
    )


@pytest.mark.parametrize("amount", [0, -1, 10**15])
def test_award_amount_is_positive_and_bounded(session: Any, kept: Award, amount: int) -> None:
    columns = [c.name for c in Award.__table__.columns if c.name != "id"]
    changed = {"amount_fen": str(amount), "state": "'reserved'", "committed_at": "NULL"}
    values = ", ".join(changed.get(c, c) for c in columns)
    refused(
        session,
        f"INSERT INTO award ({', '.join(columns)}) SELECT {values} FROM award",
        "ck_award_amount",
    )


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "reserve", "reserved_fen": -1},
        {"kind": "reserve", "reserved_fen": 1, "total_fen": 1},
        {"kind": "commit", "committed_fen": 5, "reserved_fen": -4},
        {"kind": "commit", "committed_fen": -5, "reserved_fen": 5},
        {"kind": "release", "reserved_fen": 1},
        {"kind": "release", "reserved_fen": -1, "committed_fen": -1},
        {"kind": "release"},
        {"kind": "gift", "reserved_fen": 1},
        {"kind": "reserve", "reserved_fen": 1, "paid_fen": 1},
    ],
)
def test_bookings_that_do_not_balance_are_refused(
    session: Any, kept: Award, entry: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match="ck_budget_entry_kind"), session.begin_nested():
        session.add(BudgetEntry(budget_id=kept.budget_id, award_id=kept.id, **entry))


def test_adjusting_needs_a_reason_and_no_award(session: Any, kept: Award) -> None:
    for wrong in ({"reason": None}, {"reason": "有", "award_id": kept.id}):
        with pytest.raises(IntegrityError, match="ck_budget_entry_"), session.begin_nested():
            session.add(BudgetEntry(budget_id=kept.budget_id, kind="adjust", total_fen=1, **wrong))


def test_an_award_is_booked_once_per_kind(session: Any, kept: Award) -> None:
    with pytest.raises(IntegrityError, match="uq_budget_entry_award"), session.begin_nested():
        session.add(
            BudgetEntry(budget_id=kept.budget_id, award_id=kept.id, kind="reserve", reserved_fen=1)
        )


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE budget SET total_fen = total_fen + 1",
        "UPDATE budget SET reserved_fen = 1",
        "UPDATE budget SET committed_fen = committed_fen - 1",
        "UPDATE budget SET paid_fen = 1",
        "UPDATE award SET state = 'paid'",
    ],
)
def test_identities_name_every_breach(session: Any, kept: Award, broken: str) -> None:
    assert operations.identities() == []
    session.execute(text(broken))
    assert operations.identities()


def test_held_means_the_same_in_sql_and_in_words(session: Any) -> None:
    builders.budget()
    for state in STATES:
        award(state)
    for check in ACCOUNT_CHECKS:
        change = f"account_check = '{check}'"
        if check == "missing":
            change += ", bank_account_id = NULL"
        session.execute(text(f"UPDATE award SET {change}"))
        for state, counted in session.query(Award.state, Award.held):
            assert counted == (held_because(state, check) is not None), (state, check)


def test_free_is_what_nothing_holds(session: Any, kept: Award) -> None:
    session.expire_all()
    budget = session.query(Budget).one()
    assert (budget.total_fen, budget.committed_fen, budget.free_fen) == (1_000_00, 100_00, 900_00)
