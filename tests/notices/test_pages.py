"""The public pages, the objection form, the follow-up and the approver's desk."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

from flask.testing import FlaskClient
from sqlalchemy import event, select

from catalogue.database import db, utc_now
from catalogue.notices import operations
from catalogue.notices.models import Objection
from tests import builders
from tests.browser import Browser
from tests.notices.test_operations import noticed, objected

ATOM = "{http://www.w3.org/2005/Atom}"


def good(notice: Any, **more: Any) -> dict[str, Any]:
    return {
        "item": notice.items[0].id,
        "ground": "untrue",
        "argument": "同类产品<script>两年前</script>已经销售。",
        "remedy": "请核查。",
        **more,
    }


def test_the_list_shows_what_runs_and_what_has_ended(client: FlaskClient) -> None:
    notice = noticed(2)
    page = client.get("/notices")
    assert page.status_code == 200
    assert notice.title in page.text
    assert "公示中" in page.text
    assert "2 件产品" in page.text
    assert notice.title not in client.get("/notices?state=ended").text
    assert client.get("/notices?page=9").status_code == 404
    assert client.get("/notices?page=x&state=%01").status_code == 404


def test_a_notice_shows_hours_hash_count_and_items(client: FlaskClient) -> None:
    notice = noticed(2)
    page = client.get(f"/notices/{notice.id}").text
    assert notice.number in page
    assert notice.newest.sha256[:32] in page
    assert "公示开始的当日，不计入" in page
    assert "示范参数" in page
    assert all(item.name in page and item.firm in page for item in notice.items)
    assert page.count("提异议<span") == 2


def test_the_json_hashes_to_the_hash_on_the_page(client: FlaskClient) -> None:
    notice = noticed(2)
    answer = client.get(f"/notices/{notice.id}.json")
    assert answer.mimetype == "application/json"
    assert hashlib.sha256(answer.data).hexdigest() == notice.newest.sha256


def test_unknown_notices_are_not_found(client: FlaskClient) -> None:
    for address in ("/notices/999", "/notices/999.json", "/notices/999999999999999999999999"):
        assert client.get(address).status_code == 404


def test_the_feed_is_well_formed_and_names_every_notice(client: FlaskClient) -> None:
    noticed()
    notice = noticed()
    answer = client.get("/notices/feed.atom")
    assert answer.mimetype == "application/atom+xml"
    root = ET.fromstring(answer.data)
    entries = root.findall(f"{ATOM}entry")
    assert len(entries) == 2
    assert entries[0].findtext(f"{ATOM}title") == notice.title
    assert entries[0].find(f"{ATOM}link").get("href").endswith(f"/notices/{notice.id}")


def test_an_empty_feed_and_list_are_whole(client: FlaskClient) -> None:
    ET.fromstring(client.get("/notices/feed.atom").data)
    assert "没有公示" in client.get("/notices").text


def test_anyone_objects_without_an_account_and_follows_by_code(client: FlaskClient) -> None:
    notice = noticed(2)
    address = f"/notices/{notice.id}/object?item={notice.items[0].id}"
    answer = builders.post(client, address, good(notice, contact="秘密电话"))
    assert answer.status_code == 303
    objection = db.session.scalars(select(Objection)).one()
    assert answer.location.endswith(objection.receipt_code)
    page = client.get(answer.location)
    assert objection.receipt_code in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script>两年前" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    public = client.get(f"/notices/{notice.id}").text
    assert "异议核查中" in public
    assert "秘密电话" not in public
    assert objection.receipt_code not in public
    assert client.get("/objections/YY-ABCDE-ABCDE-ABCDE-ABCDE").status_code == 404


def test_the_form_says_what_is_missing(client: FlaskClient) -> None:
    notice = noticed()
    address = f"/notices/{notice.id}/object"
    answer = builders.post(client, address, good(notice, argument="", ground="made-up"))
    assert answer.status_code == 422
    assert "请写明事实和依据" in answer.text
    assert db.session.scalar(select(Objection.id)) is None
    wrong = builders.post(client, address, good(notice, item=987654321))
    assert wrong.status_code == 422
    hidden = builders.post(client, address, good(notice, argument="倒\u202e写"))
    assert hidden.status_code == 422
    assert client.post(address, data=good(notice)).status_code == 400


def test_a_notice_that_has_run_out_takes_no_objection(client: FlaskClient) -> None:
    notice = noticed(days_ago=20)
    assert client.get(f"/notices/{notice.id}/object").status_code == 409
    assert "提异议<span" not in client.get(f"/notices/{notice.id}").text


def test_the_approver_decides_and_the_outcome_is_public(client: FlaskClient) -> None:
    notice = noticed()
    objection = objected(notice)
    approver = builders.user("approver")
    db.session.commit()
    builders.sign_in(client, approver)
    assert notice.items[0].name in client.get("/objections").text
    address = f"/objections/{objection.id}/decision"
    assert "同类产品两年前" in client.get(address).text
    empty = builders.post(client, address, {"act": "dismiss", "reason": ""})
    assert empty.status_code == 422
    assert builders.post(client, address, {"act": "x", "reason": "a"}).status_code == 400
    answer = builders.post(client, address, {"act": "dismiss", "reason": "已核对，理由公开。"})
    assert answer.status_code == 303
    public = client.get(f"/notices/{notice.id}").text
    assert "异议不成立" in public
    assert "已核对，理由公开。" in public
    assert "已核对" in client.get(f"/objections/{objection.receipt_code}").text
    assert "看处理" in client.get("/objections?state=all").text


def test_other_roles_do_not_reach_the_desk(client: FlaskClient) -> None:
    objection = objected(noticed())
    address = f"/objections/{objection.id}/decision"
    assert client.get("/objections").status_code == 303
    for role in ("applicant", "reviewer", "finance", "buyer", "administrator"):
        person = builders.user(role)
        db.session.commit()
        visitor = Browser(client.application, client.response_wrapper)
        builders.sign_in(visitor, person)
        assert visitor.get("/objections").status_code == 403
        assert visitor.get(address).status_code == 403
    db.session.refresh(objection)
    assert objection.state == "open"


def test_lists_ask_the_database_a_fixed_number_of_times(client: FlaskClient) -> None:
    first = noticed()
    few = [queries(client, address) for address in ("/notices", f"/notices/{first.id}")]
    for _ in range(2):
        noticed()
    large = noticed(4)
    many = [queries(client, address) for address in ("/notices", f"/notices/{large.id}")]
    assert many == few
    assert max(many) <= 12


def queries(client: FlaskClient, address: str) -> int:
    """Statements that one GET sends."""
    seen: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert client.get(address).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return len([statement for statement in seen if not re.match("(SAVEPOINT|RELEASE)", statement)])


def test_a_dismissal_after_the_period_closes_with_the_next_daily_job(client: FlaskClient) -> None:
    notice = noticed(days_ago=20)
    objection = objected(notice)
    assert operations.close_due(utc_now()) == 0
    db.session.commit()
    assert "期满处理中" in client.get("/notices").text
    operations.dismiss(objection, builders.user("approver"), "不成立")
    assert operations.close_due(utc_now() + timedelta(seconds=1)) == 1
    db.session.commit()
    assert "已结束" in client.get(f"/notices/{notice.id}").text
