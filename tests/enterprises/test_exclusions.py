"""Bans on applying, related parties and the size of a firm: who may, what stays, what is shown."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from catalogue.audit.operations import trail
from catalogue.enterprises import operations
from catalogue.enterprises.models import Exclusion
from catalogue.errors import Refused
from tests.enterprises import firms

SINCE = date(2026, 1, 1)
SOURCE = "沪示罚〔2026〕1 号，虚报合同 <两份>"


def _ban(session: Any) -> tuple[Any, Any, Any]:
    enterprise, _ = firms.firm(1)
    administrator = firms.person("administrator@demo.test", "administrator")
    ban = operations.exclude(
        enterprise,
        administrator,
        since=SINCE,
        until=date(2099, 12, 31),
        ground="fraud",
        source=SOURCE,
    )
    session.commit()
    return enterprise, administrator, ban


def test_a_ban_is_decided_by_an_administrator_shown_to_the_firm_and_lifted_with_a_reason(
    client: FlaskClient, session: Any, app: Flask
) -> None:
    enterprise, clerk = firms.firm(1)
    administrator = firms.person("administrator@demo.test", "administrator")
    session.commit()
    office = firms.browser(app)
    firms.sign_in(office, administrator)
    fields = {
        "credit_code": enterprise.credit_code,
        "since": "2026-01-01",
        "until": "2025-12-31",
        "ground": "fraud",
        "source": SOURCE,
    }
    wrong = firms.post(office, "/exclusions", fields)
    assert wrong.status_code == 422 and "截止日不能早于起始日" in wrong.get_data(as_text=True)
    assert firms.post(office, "/exclusions", {**fields, "until": "2099-12-31"}).status_code == 303
    firms.sign_in(client, clerk)
    page = client.get("/enterprise").get_data(as_text=True)
    assert "弄虚作假" in page and "虚报合同 &lt;两份&gt;" in page
    assert client.get("/exclusions").status_code == 403
    assert firms.post(office, "/exclusions/1/lift", {"reason": "无"}).status_code == 422
    assert firms.post(office, "/exclusions/1/lift", {"reason": "复议撤销了决定"}).status_code == 303
    assert "复议撤销了决定" in client.get("/enterprise").get_data(as_text=True)
    actions = [event.action for event in trail(enterprise)]
    assert actions[-2:] == ["enterprise.exclude", "enterprise.lift_exclusion"]
    assert office.get("/exclusions/1/lift").status_code == 404


def test_nobody_else_bans_and_nobody_lifts_twice(session: Any) -> None:
    enterprise, administrator, ban = _ban(session)
    reviewer = firms.person("reviewer@demo.test", "reviewer")
    with pytest.raises(Refused, match="管理员"):
        operations.lift_exclusion(ban, reviewer, "复议撤销了决定")
    operations.lift_exclusion(ban, administrator, "复议撤销了决定")
    with pytest.raises(Refused, match="已经解除"):
        operations.lift_exclusion(ban, administrator, "再来一次")
    assert enterprise.exclusions == [ban]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE exclusion SET until = until - 1",
        "UPDATE exclusion SET source = 'another reason'",
        "DELETE FROM exclusion",
        "UPDATE exclusion SET lifted_at = now()",
        "UPDATE enterprise SET size = 'huge'",
        (
            "INSERT INTO exclusion (enterprise_id, since, until, ground, source, decided_by_id,"
            " decided_at) SELECT enterprise_id, since, since - 1, ground, source, decided_by_id,"
            " decided_at FROM exclusion"
        ),
    ],
)
def test_what_was_decided_stays_as_it_was(session: Any, statement: str) -> None:
    _ban(session)
    with pytest.raises(DBAPIError):
        session.execute(text(statement))
    session.rollback()


def test_a_lifted_ban_is_never_taken_up_again(session: Any) -> None:
    _, administrator, ban = _ban(session)
    operations.lift_exclusion(ban, administrator, "复议撤销了决定")
    session.commit()
    with pytest.raises(DBAPIError, match="frozen column"):
        session.execute(
            text(
                "UPDATE exclusion SET lifted_at = NULL, lifted_by_id = NULL, lifted_because = NULL"
            )
        )
    session.rollback()


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (SINCE - timedelta(days=1), "尚未开始"),
        (SINCE, "禁止申报"),
        (date(2026, 12, 31), "禁止申报"),
        (date(2027, 1, 1), "已期满"),
    ],
)
def test_both_ends_of_a_ban_count(day: date, words: str) -> None:
    ban = Exclusion(since=SINCE, until=date(2026, 12, 31))
    assert ban.standing(day)[1] == words


def test_related_parties_are_added_and_removed(
    client: FlaskClient, session: Any, app: Flask
) -> None:
    enterprise, clerk = firms.firm(1)
    _, stranger = firms.firm(2)
    firms.sign_in(client, clerk)
    address = "/enterprise/related"
    fields = {"credit_code": firms.code(3), "name": "示例<控股>公司", "tie": "parent"}
    own = firms.post(client, address, {**fields, "credit_code": enterprise.credit_code})
    assert own.status_code == 422 and "总算作关联方" in own.get_data(as_text=True)
    assert firms.post(client, address, fields).status_code == 303
    assert firms.post(client, address, fields).status_code == 422
    assert "示例&lt;控股&gt;公司" in client.get("/enterprise").get_data(as_text=True)
    other = firms.browser(app)
    firms.sign_in(other, stranger)
    assert firms.post(other, f"{address}/1/remove", page=address).status_code == 404
    assert firms.post(client, f"{address}/1/remove", page=address).status_code == 303
    session.expire_all()
    assert enterprise.related == []
