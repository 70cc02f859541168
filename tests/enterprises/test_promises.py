"""The database keeps its word even against code that does not: each CHECK, UNIQUE and guard."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from catalogue.database import utc_now
from catalogue.enterprises.models import BankAccount, Enterprise, Honour, Membership
from tests.enterprises import firms


def _breaks(session: Any, row: Any, constraint: str) -> None:
    session.add(row)
    with pytest.raises(IntegrityError, match=constraint):
        session.flush()
    session.rollback()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"credit_code": "91310115MA0000001"}, "ck_enterprise_credit_code"),
        ({"credit_code": "91310115MAO00000001"[:18]}, "ck_enterprise_credit_code"),
        ({"name": "短"}, "ck_enterprise_name"),
        ({"district": "3101"}, "ck_enterprise_district"),
        ({"address": "长" * 201}, "ck_enterprise_lengths"),
        ({"contact_phone": "1" * 31}, "ck_enterprise_lengths"),
    ],
)
def test_enterprise_checks(session: Any, changes: dict[str, Any], constraint: str) -> None:
    facts = {"credit_code": firms.code(7), "name": "示例有限公司", **changes}
    _breaks(session, Enterprise(**facts), constraint)


def test_one_credit_code_is_one_enterprise(session: Any) -> None:
    firms.firm(1)
    _breaks(
        session,
        Enterprise(credit_code=firms.code(1), name="另一个名称"),
        "uq_enterprise_credit_code",
    )


def test_a_person_has_one_place(session: Any) -> None:
    enterprise, user = firms.firm(1)
    other, _ = firms.firm(2)
    assert enterprise.id != other.id
    row = Membership(user_id=user.id, enterprise_id=other.id, role="applicant")
    _breaks(session, row, "uq_membership_user_id")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"role": "approver"}, "ck_membership_role"),
        ({"admitted_at": datetime(2020, 1, 1, tzinfo=UTC)}, "ck_membership_admitted"),
    ],
)
def test_membership_checks(session: Any, changes: dict[str, Any], constraint: str) -> None:
    enterprise, _ = firms.firm(1)
    user = firms.person("second@demo.test")
    facts = {"user_id": user.id, "enterprise_id": enterprise.id, "role": "applicant", **changes}
    _breaks(session, Membership(**facts), constraint)


def test_honour_promises(session: Any) -> None:
    enterprise, _ = firms.firm(1)
    key = enterprise.id
    late = Honour(
        enterprise_id=key, kind="hnte", granted_on=date(2024, 1, 2), expires_on=date(2024, 1, 1)
    )
    _breaks(session, late, "ck_honour_dates")
    session.add(Honour(enterprise_id=key, kind="hnte", granted_on=date(2024, 1, 2)))
    session.commit()
    twin = Honour(enterprise_id=key, kind="hnte", granted_on=date(2024, 1, 2))
    _breaks(session, twin, "uq_honour_enterprise_id")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"first4": "100"}, "ck_bank_account_ends"),
        ({"last4": "abcd"}, "ck_bank_account_ends"),
        ({"bank_name": "银"}, "ck_bank_account_bank_name"),
        ({"number_encrypted": firms.NUMBER}, "ck_bank_account_encrypted"),
        ({"replaced_at": datetime(2020, 1, 1, tzinfo=UTC)}, "ck_bank_account_replaced"),
        ({}, "uq_bank_account_current"),
    ],
)
def test_bank_account_checks(session: Any, changes: dict[str, Any], constraint: str) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    facts = {
        "enterprise_id": enterprise.id,
        "bank_name": "示例银行",
        "holder_name": enterprise.name,
        "number_encrypted": "v1:x",
        "first4": "1001",
        "last4": "3456",
        **changes,
    }
    if constraint.startswith("ck"):
        facts.setdefault("replaced_at", utc_now())
        facts.setdefault("created_at", datetime(2021, 1, 1, tzinfo=UTC))
    _breaks(session, BankAccount(**facts), constraint)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bank_account SET number_encrypted = 'v1:other'",
        "UPDATE bank_account SET last4 = '0000'",
        "UPDATE bank_account SET enterprise_id = enterprise_id + 1",
        "DELETE FROM bank_account",
        "UPDATE enterprise SET credit_code = '91310115MA0000009X'",
        "DELETE FROM enterprise",
    ],
)
def test_where_money_goes_is_never_rewritten(session: Any, statement: str) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    with pytest.raises(DBAPIError, match=r"never deleted|frozen column"):
        session.execute(text(statement))
    session.rollback()
