"""What the firm's verbs promise: admission, profile, honours, the sealed account, the trail."""

from __future__ import annotations

from datetime import date
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from catalogue.audit.models import AuditEvent
from catalogue.audit.operations import trail
from catalogue.database import db
from catalogue.enterprises import operations
from catalogue.enterprises.models import (
    BankAccount,
    Enterprise,
    Honour,
    Membership,
    enterprise_id_of,
    membership_of,
)
from catalogue.errors import Refused
from tests.enterprises import firms


def _actions(subject: Any) -> list[str]:
    return [event.action for event in trail(subject)]


def test_the_first_person_is_a_member_at_once(session: Any) -> None:
    enterprise, user = firms.firm(1, role="signatory")
    place = membership_of(user)
    assert place is not None
    assert place.role == "signatory"
    assert place.enterprise is enterprise
    assert user.has_role("signatory")
    assert _actions(enterprise) == ["enterprise.register"]


def test_a_wrong_check_digit_is_refused_at_its_field(session: Any) -> None:
    user = firms.person("a@demo.test")
    right = firms.code(1)
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    with pytest.raises(Refused, match=f"第 18 位校验码应为 {right[-1]}") as refused:
        operations.register_enterprise(wrong, "示例有限公司", user, "applicant")
    assert refused.value.field == "credit_code"


def test_the_same_firm_cannot_be_registered_twice(session: Any) -> None:
    firms.firm(1)
    user = firms.person("second@demo.test")
    with pytest.raises(Refused, match="申请加入"):
        operations.register_enterprise(firms.code(1), "换个名称", user, "applicant")
    assert session.scalar(select(func.count(Enterprise.id))) == 1


def test_two_people_registering_one_firm_at_one_instant_make_one_firm(
    app: Flask, session: Any
) -> None:
    users = [firms.person(f"{n}@demo.test").id for n in range(4)]
    session.commit()
    barrier, refusals = Barrier(4), []

    def register(user_id: int) -> None:
        with app.app_context():
            user = db.session.get_one(operations.User, user_id)
            barrier.wait()
            try:
                operations.register_enterprise(firms.code(1), "示例有限公司", user, "applicant")
                db.session.commit()
            except Refused as refused:
                refusals.append(refused)
                db.session.rollback()

    threads = [Thread(target=register, args=(key,)) for key in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refusals) == 3
    assert session.scalar(select(func.count(Enterprise.id))) == 1


def test_a_request_opens_nothing_until_a_member_admits(session: Any) -> None:
    enterprise, member = firms.firm(1)
    second = firms.person("second@demo.test", name="李样例")
    request = operations.request_to_join(enterprise, second, "signatory")
    session.commit()
    assert membership_of(second) is None
    assert enterprise_id_of(second) is None
    operations.admit(request, member)
    session.commit()
    assert enterprise_id_of(second) == enterprise.id
    assert second.has_role("signatory")
    assert _actions(enterprise)[1:] == ["enterprise.request_to_join", "enterprise.admit"]


def test_nobody_admits_himself_or_for_another_firm(session: Any) -> None:
    enterprise, _ = firms.firm(1)
    _, stranger = firms.firm(2)
    second = firms.person("second@demo.test")
    request = operations.request_to_join(enterprise, second, "applicant")
    for actor in (second, stranger):
        with pytest.raises(Refused, match="只有本单位的成员"):
            operations.admit(request, actor)
        with pytest.raises(Refused, match="只有本单位的成员"):
            operations.refuse_request(request, actor)
    assert request.admitted_at is None


def test_a_refused_person_may_ask_elsewhere(session: Any) -> None:
    enterprise, member = firms.firm(1)
    other, _ = firms.firm(2)
    second = firms.person("second@demo.test")
    request = operations.request_to_join(enterprise, second, "applicant")
    with pytest.raises(Refused, match="先等它答复"):
        operations.request_to_join(other, second, "applicant")
    operations.refuse_request(request, member)
    session.commit()
    operations.request_to_join(other, second, "applicant")
    session.commit()
    assert _actions(enterprise)[-1] == "enterprise.refuse_request"


def test_an_answered_request_is_not_answered_again(session: Any) -> None:
    enterprise, member = firms.firm(1)
    second = firms.person("second@demo.test")
    request = operations.request_to_join(enterprise, second, "applicant")
    operations.admit(request, member)
    for verb in (operations.admit, operations.refuse_request):
        with pytest.raises(Refused, match="已经是成员"):
            verb(request, member)
    with pytest.raises(Refused, match="只能撤回"):
        operations.withdraw_request(request, second)
    assert session.scalar(select(func.count(Membership.id))) == 2


def test_a_request_is_withdrawn_by_its_own_person_only(session: Any) -> None:
    enterprise, member = firms.firm(1)
    second = firms.person("second@demo.test")
    request = operations.request_to_join(enterprise, second, "applicant")
    with pytest.raises(Refused, match="只能撤回自己"):
        operations.withdraw_request(request, member)
    operations.withdraw_request(request, second)
    session.commit()
    assert session.scalar(select(func.count(Membership.id))) == 1


def test_the_profile_records_which_facts_changed(session: Any) -> None:
    enterprise, user = firms.firm(1)
    facts = {"district": "310115", "founded_on": date(2016, 5, 18), "address": "张江路 1 号"}
    operations.update_profile(enterprise, user, **facts, today=firms.TODAY)
    operations.update_profile(enterprise, user, **facts, today=firms.TODAY)
    session.commit()
    events = trail(enterprise)
    assert len(events) == 2
    assert events[-1].facts == {"changed": ["district", "founded_on", "address"]}


@pytest.mark.parametrize(
    ("facts", "field"),
    [({"district": "110000"}, "district"), ({"founded_on": date(2026, 11, 25)}, "founded_on")],
)
def test_the_profile_is_refused_at_the_field(
    session: Any, facts: dict[str, Any], field: str
) -> None:
    enterprise, user = firms.firm(1)
    with pytest.raises(Refused) as refused:
        operations.update_profile(enterprise, user, **facts, today=firms.TODAY)
    assert refused.value.field == field


def test_honours(session: Any) -> None:
    enterprise, user = firms.firm(1)
    honour = operations.add_honour(enterprise, user, "hnte", date(2024, 12, 4), date(2027, 12, 3))
    session.commit()
    assert enterprise.honours == [honour]
    for kind, until, field in (
        ("hnte", None, "kind"),
        ("nobel", None, "kind"),
        ("srdi", date(2024, 12, 3), "expires_on"),
    ):
        with pytest.raises(Refused) as refused:
            operations.add_honour(enterprise, user, kind, date(2024, 12, 4), until)
        assert refused.value.field == field
    operations.remove_honour(honour, user)
    session.commit()
    assert enterprise.honours == []
    assert session.scalar(select(func.count(Honour.id))) == 0
    assert _actions(enterprise)[-2:] == ["enterprise.add_honour", "enterprise.remove_honour"]


def test_the_account_number_is_nowhere_in_the_database(session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user, "1001 2345 6789 0123 456")
    account = enterprise.account
    assert account is not None
    assert account.masked == "1001 **** 3456"
    events = session.scalars(select(AuditEvent)).all()
    everything = " ".join([account.number_encrypted, *(str(e.facts) for e in events)])
    assert firms.NUMBER not in everything


def test_a_new_account_replaces_the_old_one_and_keeps_it(session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    firms.with_account(enterprise, user, "622200000000000001")
    rows = session.scalars(select(BankAccount).order_by(BankAccount.id)).all()
    assert [row.replaced_at is None for row in rows] == [False, True]
    assert enterprise.account is rows[1]


@pytest.mark.parametrize(
    ("holder", "number", "field"),
    [("别的公司", firms.NUMBER, "holder_name"), (None, "12", "number"), (None, "x" * 19, "number")],
)
def test_an_account_is_refused_at_the_field(
    session: Any, holder: str | None, number: str, field: str
) -> None:
    enterprise, user = firms.firm(1)
    with pytest.raises(Refused) as refused:
        operations.set_account(enterprise, user, "示例银行", holder or enterprise.name, number)
    assert refused.value.field == field


def test_a_new_firm_name_retires_the_account(session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    operations.update_profile(enterprise, user, name="更名后有限公司")
    session.commit()
    assert enterprise.account is None
    assert _actions(enterprise)[-2:] == ["enterprise.retire_account", "enterprise.update_profile"]


def test_revealing_needs_a_right_and_a_reason_and_is_recorded(session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    _, stranger = firms.firm(2)
    finance = firms.person("finance@demo.test", "finance")
    reviewer = firms.person("reviewer@demo.test", "reviewer")
    for actor in (stranger, reviewer):
        with pytest.raises(Refused, match="只有财务"):
            operations.reveal_account(enterprise, actor, "核对拨付账号")
    with pytest.raises(Refused, match="至少 5 个字"):
        operations.reveal_account(enterprise, finance, " 看看 ")
    assert "enterprise.reveal_account" not in _actions(enterprise)
    assert operations.reveal_account(enterprise, finance, "核对拨付账号") == firms.NUMBER
    assert operations.reveal_account(enterprise, user, "与开户许可证核对") == firms.NUMBER
    session.commit()
    events = [e for e in trail(enterprise) if e.action == "enterprise.reveal_account"]
    assert [(e.actor_id, e.facts["reason"]) for e in events] == [
        (finance.id, "核对拨付账号"),
        (user.id, "与开户许可证核对"),
    ]


def test_a_number_copied_to_another_firm_does_not_open(session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    other, _ = firms.firm(2)
    assert enterprise.account is not None
    with pytest.raises(ValueError, match="does not open"):
        operations.account_number(enterprise.account, other)
