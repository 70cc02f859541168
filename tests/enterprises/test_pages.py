"""Registration, joining and the firm's pages, through the browser's eyes."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from catalogue.accounts.models import User
from catalogue.database import db
from catalogue.enterprises import operations
from catalogue.enterprises.models import Enterprise, Membership
from tests.enterprises import firms

FORM = {
    "credit_code": firms.code(1),
    "firm_name": "示例工业软件有限公司",
    "role": "applicant",
    "name": "王演示",
    "email": "Wang@Demo.Test",
    "password": firms.PASSWORD,
}


def _text(response: Any) -> str:
    return response.get_data(as_text=True)


def test_a_new_firm_registers_and_is_signed_in(client: FlaskClient, session: Any) -> None:
    answer = firms.post(client, "/register", FORM)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/enterprise")
    page = _text(client.get("/enterprise"))
    assert "示例工业软件有限公司" in page
    assert "还缺 5 项" in page
    user = session.scalar(select(User).where(User.email == "wang@demo.test"))
    assert user.roles == {"applicant"}


def test_the_second_person_is_led_to_join(client: FlaskClient, session: Any, app: Flask) -> None:
    enterprise, member = firms.firm(1)
    fields = {**FORM, "role": "signatory", "name": "李样例", "email": "li@demo.test"}
    answer = firms.post(client, "/register", fields)
    assert answer.status_code == 303
    join = answer.headers["Location"]
    assert join.startswith("/enterprise/join?code=")
    page = _text(client.get(join))
    assert enterprise.name in page
    assert "王**" in page
    assert "王演示" not in page
    assert session.scalar(select(func.count(Membership.id))) == 1
    assert firms.post(client, join, {"role": "signatory"}).status_code == 303
    assert "等单位同意您加入" in _text(client.get("/enterprise"))
    assert session.scalar(select(func.count(Enterprise.id))) == 1
    # What belongs to the firm stays shut for the one who waits.
    assert client.get("/enterprise/members").headers["Location"] == "/enterprise/join"
    assert client.get("/products").status_code == 303

    other = firms.browser(app)
    firms.sign_in(other, member)
    members = _text(other.get("/enterprise/members"))
    assert "同意 李样例 加入" in members
    request = session.scalar(select(Membership).where(Membership.admitted_at.is_(None)))
    assert (
        firms.post(
            other, f"/enterprise/members/{request.id}/admit", page="/enterprise/members"
        ).status_code
        == 303
    )
    assert "单位资料" in _text(client.get("/enterprise"))
    assert client.get("/enterprise/members").status_code == 200


def test_a_refused_person_is_asked_again_for_the_firm(
    client: FlaskClient, session: Any, app: Flask
) -> None:
    enterprise, member = firms.firm(1)
    second = firms.person("li@demo.test")
    request = operations.request_to_join(enterprise, second, "applicant")
    session.commit()
    firms.sign_in(client, member)
    firms.post(client, f"/enterprise/members/{request.id}/refuse", page="/enterprise/members")
    other = firms.browser(app)
    firms.sign_in(other, second)
    assert other.get("/enterprise").headers["Location"] == "/enterprise/join"
    answer = other.get(f"/enterprise/join?code={firms.code(5)}")
    assert "这个信用代码还没有登记" in _text(answer)
    made = firms.post(
        other,
        f"/enterprise/join?code={firms.code(5)}",
        {"firm_name": "新的示例有限公司", "role": "applicant"},
    )
    assert made.headers["Location"] == "/enterprise"
    assert "新的示例有限公司" in _text(other.get("/enterprise"))


def test_a_request_can_be_withdrawn(client: FlaskClient, session: Any) -> None:
    enterprise, _ = firms.firm(1)
    second = firms.person("li@demo.test")
    operations.request_to_join(enterprise, second, "applicant")
    session.commit()
    firms.sign_in(client, second)
    answer = firms.post(client, "/enterprise/withdraw-request", page="/enterprise")
    assert answer.headers["Location"] == "/enterprise/join"
    assert client.get("/enterprise/join").status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"credit_code": firms.code(1)[:-1]}, "应为 18 位，现在是 17 位"),
        (
            {"credit_code": firms.code(1)[:-1] + ("0" if firms.code(1)[-1] != "0" else "1")},
            f"第 18 位校验码应为 {firms.code(1)[-1]}",
        ),
        ({"credit_code": ""}, "请填写统一社会信用代码"),
        ({"password": "short"}, "密码至少 10 位"),
        ({"email": "nobody"}, "邮箱的格式不对"),
        ({"name": ""}, "请填写姓名"),
        ({"firm_name": "短"}, "单位名称为 2 到 100 字"),
        ({"role": "approver"}, "请从列表里选一项"),
    ],
)
def test_registration_is_refused_in_words(
    client: FlaskClient, session: Any, changes: dict[str, str], words: str
) -> None:
    answer = firms.post(client, "/register", {**FORM, **changes})
    assert answer.status_code == 422
    assert words in _text(answer)
    assert firms.PASSWORD not in _text(answer)
    assert session.scalar(select(func.count(User.id))) == 0


def test_a_lower_case_code_with_spaces_is_understood(client: FlaskClient, session: Any) -> None:
    fields = {**FORM, "credit_code": f" {firms.code(1).lower()} "}
    assert firms.post(client, "/register", fields).status_code == 303


def test_a_taken_address_is_answered_alike_for_staff_and_firms(
    client: FlaskClient, session: Any
) -> None:
    firms.person("taken@demo.test", "finance")
    firms.person("firm@demo.test")
    session.commit()
    pages = []
    for email in ("taken@demo.test", "firm@demo.test"):
        answer = firms.post(client, "/register", {**FORM, "email": email})
        assert answer.status_code == 422
        pages.append(_text(answer))
    assert all("这个邮箱不能用来登记" in page for page in pages)
    assert session.scalar(select(func.count(Enterprise.id))) == 0


def test_the_profile_is_edited_and_shown(client: FlaskClient, session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.sign_in(client, user)
    fields = {
        "name": enterprise.name,
        "english_name": "Example Software",
        "district": "310115",
        "founded_on": "2016-05-18",
        "address": "张江路 <1> 号",
        "contact_name": "王演示",
        "contact_phone": "021-23110000",
    }
    assert firms.post(client, "/enterprise/edit", fields).status_code == 303
    page = _text(client.get("/enterprise"))
    assert "浦东新区" in page
    assert "2016-05-18" in page
    assert "张江路 &lt;1&gt; 号" in page
    assert "还缺" not in page
    wrong = {**fields, "founded_on": "2016-13-40", "district": "", "contact_phone": "abc"}
    answer = firms.post(client, "/enterprise/edit", wrong)
    assert answer.status_code == 422
    for words in ("有 3 处要改", "请选择所在区", "请填日期", "电话只含数字"):
        assert words in _text(answer)
    assert 'value="2016-13-40"' in _text(answer)


def test_honours_are_added_and_removed(client: FlaskClient, session: Any) -> None:
    _, user = firms.firm(1)
    firms.sign_in(client, user)
    fields = {"kind": "hnte", "granted_on": "2020-12-04", "expires_on": "2023-12-03"}
    assert firms.post(client, "/enterprise/honours", fields).status_code == 303
    page = _text(client.get("/enterprise"))
    assert "高新技术企业" in page
    assert "已过期" in page
    again = firms.post(client, "/enterprise/honours", fields)
    assert again.status_code == 422
    assert "已经有了" in _text(again)
    address = "/enterprise/honours/1/remove"
    assert firms.post(client, address, page="/enterprise/honours").status_code == 303
    assert "还没有填称号" in _text(client.get("/enterprise"))


def test_the_whole_account_number_is_in_no_page(client: FlaskClient, session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.sign_in(client, user)
    fields = {"holder_name": "别人", "bank_name": "示例银行", "number": firms.NUMBER}
    answer = firms.post(client, "/enterprise/account", fields)
    assert answer.status_code == 422
    assert "开户名须与单位名称一致" in _text(answer)
    assert firms.NUMBER not in _text(answer)
    fields["holder_name"] = enterprise.name
    assert firms.post(client, "/enterprise/account", fields).status_code == 303
    for address in (
        "/enterprise",
        "/enterprise/account",
        "/enterprise/edit",
        "/enterprises/1/account",
    ):
        page = client.get(address)
        assert page.status_code == 200, address
        assert firms.NUMBER not in _text(page), address
    assert "1001 **** 3456" in _text(client.get("/enterprise"))


def test_the_reveal_shows_it_once_against_a_reason(client: FlaskClient, session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    firms.sign_in(client, user)
    address = f"/enterprises/{enterprise.id}/account"
    short = firms.post(client, address, {"reason": "看"})
    assert short.status_code == 422
    assert firms.NUMBER not in _text(short)
    shown = firms.post(client, address, {"reason": "与开户许可证核对"})
    assert firms.NUMBER in _text(shown)
    assert shown.headers["Cache-Control"] == "no-store"
    page = _text(client.get("/enterprise"))
    assert "查看完整账号" in page
    assert "与开户许可证核对" in page
    assert firms.NUMBER not in page


def test_another_firm_and_other_roles_find_nothing(
    client: FlaskClient, session: Any, app: Flask
) -> None:
    enterprise, user = firms.firm(1)
    firms.with_account(enterprise, user)
    operations.add_honour(enterprise, user, "hnte", firms.TODAY)
    second = firms.person("li@demo.test")
    request = operations.request_to_join(enterprise, second, "applicant")
    session.commit()
    _, stranger = firms.firm(2)
    firms.sign_in(client, stranger)
    page = "/enterprise/honours"
    assert client.get(f"/enterprises/{enterprise.id}/account").status_code == 404
    assert client.get("/enterprises/999999/account").status_code == 404
    for address in (
        "/enterprise/honours/1/remove",
        f"/enterprise/members/{request.id}/admit",
        f"/enterprise/members/{request.id}/refuse",
    ):
        assert firms.post(client, address, page=page).status_code == 404, address
    reviewer = firms.person("reviewer@demo.test", "reviewer")
    session.commit()
    staff = firms.browser(app)
    firms.sign_in(staff, reviewer)
    for address in ("/enterprise", "/enterprises/1/account", "/enterprise/join"):
        assert staff.get(address).status_code == 403


def test_the_pages_ask_the_database_a_bounded_number_of_times(
    client: FlaskClient, session: Any
) -> None:
    enterprise, user = firms.firm(1)
    for number in range(30):
        someone = firms.person(f"n{number}@demo.test")
        operations.request_to_join(enterprise, someone, "applicant")
        operations.add_honour(enterprise, user, "hnte", firms.TODAY.replace(year=1990 + number))
    session.commit()
    firms.sign_in(client, user)
    for address in ("/enterprise", "/enterprise/members", "/enterprise/honours"):
        asked: list[str] = []

        def listener(*call: Any, asked: list[str] = asked) -> None:
            asked.append(call[2])

        session.rollback()
        event.listen(db.engine, "before_cursor_execute", listener)
        try:
            assert client.get(address).status_code == 200
        finally:
            event.remove(db.engine, "before_cursor_execute", listener)
        assert len(asked) <= 25, (address, len(asked))
