"""Signing in and out: one answer for known and unknown names, a new session, a throttle."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import FailedSignIn, User, UserRole
from catalogue.accounts.operations import TRIES_PER_EMAIL, create_user, give_role
from catalogue.accounts.views import local_target
from catalogue.errors import Refused
from tests.enterprises import firms


def _try(client: FlaskClient, email: str, password: str, address: str = "/sign-in") -> Any:
    return firms.post(client, address, {"email": email, "password": password})


def test_one_signs_in_and_out(client: FlaskClient, session: Any) -> None:
    _, user = firms.firm(1)
    assert _try(client, "FIRM1@demo.test", firms.PASSWORD).status_code == 303
    page = client.get("/enterprise")
    assert page.status_code == 200
    assert user.name in page.get_data(as_text=True)
    answer = firms.post(client, "/sign-out", page="/enterprise")
    assert answer.status_code == 303
    assert client.get("/enterprise").status_code == 303


def test_known_and_unknown_names_get_the_same_answer(client: FlaskClient, session: Any) -> None:
    firms.firm(1)
    answers = [_try(client, email, "wrong") for email in ("firm1@demo.test", "none@demo.test")]
    assert [a.status_code for a in answers] == [422, 422]
    assert all("邮箱或密码不对" in a.get_data(as_text=True) for a in answers)
    assert session.scalar(select(func.count(FailedSignIn.id))) == 2


def test_empty_fields_are_named(client: FlaskClient, session: Any) -> None:
    page = _try(client, "", "").get_data(as_text=True)
    assert "请填写邮箱" in page
    assert "请填写密码" in page
    assert 'href="#email"' in page


def test_too_many_tries_are_slowed_and_forgotten_after_success(
    client: FlaskClient, session: Any, app: Flask
) -> None:
    firms.firm(1)
    for _ in range(TRIES_PER_EMAIL):
        assert _try(client, "firm1@demo.test", "wrong").status_code == 422
    slowed = _try(client, "firm1@demo.test", firms.PASSWORD)
    assert slowed.status_code == 429
    assert "5 分钟" in slowed.get_data(as_text=True)
    # The same person from another address is not locked out by a stranger's tries.
    elsewhere = firms.browser(app)
    page = elsewhere.get("/sign-in").get_data(as_text=True)
    answer = elsewhere.post(
        "/sign-in",
        data={
            "csrf_token": firms.token(page),
            "email": "firm1@demo.test",
            "password": firms.PASSWORD,
        },
        environ_overrides={"REMOTE_ADDR": "10.0.0.9"},
    )
    assert answer.status_code == 303
    assert session.scalar(select(func.count(FailedSignIn.id))) == 0


def test_the_session_before_sign_in_is_gone_after_it(client: FlaskClient, session: Any) -> None:
    _, user = firms.firm(1)
    with client.session_transaction() as cookie:
        cookie["planted"] = "by a stranger"
    firms.sign_in(client, user)
    with client.session_transaction() as cookie:
        assert "planted" not in cookie
        assert cookie["_user_id"].startswith(f"{user.id}:")


def test_a_new_role_ends_old_sessions(client: FlaskClient, session: Any) -> None:
    _, user = firms.firm(1)
    firms.sign_in(client, user)
    give_role(user, "signatory", None)
    session.commit()
    assert client.get("/enterprise").status_code == 303


@pytest.mark.parametrize(
    "target",
    ["//evil.test", "https://evil.test", "/\\evil.test", "evil", "/a\nb", "", None, "javascript:x"],
)
def test_one_is_sent_on_within_the_site_only(app: Flask, target: str | None) -> None:
    with app.test_request_context():
        home = local_target(None)
        assert local_target(target) == home
        assert local_target("/products?page=2") == "/products?page=2"


def test_one_comes_back_to_the_page_that_asked(client: FlaskClient, session: Any) -> None:
    firms.firm(1)
    asked = client.get("/products?page=1").headers["Location"]
    answer = _try(client, "firm1@demo.test", firms.PASSWORD, asked)
    assert answer.headers["Location"] == "/products?page=1"


def test_account_promises(session: Any) -> None:
    with pytest.raises(Refused, match="至少 10 位"):
        create_user("a@demo.test", "甲", "short", set())
    user = firms.person("a@demo.test")
    session.commit()
    key = user.id
    rows: list[tuple[Any, str]] = [
        (User(email="A@demo.test", name="甲", password_hash="x", session_stamp="x"), "ck_account_"),
        (User(email="b@demo.test", name="", password_hash="x", session_stamp="x"), "ck_account_"),
        (User(email="a@demo.test", name="甲", password_hash="x", session_stamp="x"), "uq_account"),
        (UserRole(user_id=key, role="king"), "ck_account_role_role"),
    ]
    for row, constraint in rows:
        session.add(row)
        with pytest.raises(IntegrityError, match=constraint):
            session.flush()
        session.rollback()
