"""People and firms made by the real verbs, and a client that posts forms with their token."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from stdnum.cn import uscc

from catalogue.accounts.models import User
from catalogue.accounts.operations import create_user
from catalogue.database import db
from catalogue.enterprises import operations
from catalogue.enterprises.models import Enterprise
from catalogue.products.models import Product
from catalogue.products.operations import create_product
from tests.browser import ForgetfulBrowser

PASSWORD = "a long enough one"
NUMBER = "1001234567890123456"
TODAY = date(2026, 11, 24)


def code(number: int) -> str:
    """The ``number``-th valid credit code of Pudong."""
    front = f"91310115MA{number:07d}"
    return front + uscc.calc_check_digit(front)


def person(email: str, role: str = "applicant", name: str = "王演示") -> User:
    return create_user(email, name, PASSWORD, {role})


def firm(number: int = 1, role: str = "applicant") -> tuple[Enterprise, User]:
    """A registered firm and its first member, committed."""
    user = person(f"firm{number}@demo.test", role)
    name = f"示例第{number}工业软件有限公司"
    enterprise = operations.register_enterprise(code(number), name, user, role)
    db.session.commit()
    return enterprise, user


def with_account(enterprise: Enterprise, actor: User, number: str = NUMBER) -> None:
    operations.set_account(enterprise, actor, "示例银行上海张江支行", enterprise.name, number)
    db.session.commit()


FACTS: dict[str, Any] = {
    "name": "刻蚀工艺仿真软件",
    "model": "V2.1",
    "kind": "software",
    "domain": "sw_industrial",
    "novelty": "major",
    "summary": "单算例用时由 40 小时降到 6 小时。",
}


def product(enterprise: Enterprise, actor: User, **changes: Any) -> Product:
    made = create_product(enterprise, actor, **{**FACTS, **changes})
    db.session.commit()
    return made


def token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, "the page has no token"
    return found.group(1)


def post(client: FlaskClient, address: str, fields: dict[str, Any] | None = None, **kw: Any) -> Any:
    """Open the page at ``page`` (else ``address``), then post its token with ``fields``."""
    page = client.get(kw.pop("page", address)).get_data(as_text=True)
    return client.post(address, data={"csrf_token": token(page), **(fields or {})}, **kw)


def sign_in(client: FlaskClient, user: User) -> None:
    answer = post(client, "/sign-in", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 303


def browser(app: Flask) -> FlaskClient:
    """Another browser, with cookies of its own."""
    return ForgetfulBrowser(app, app.response_class, use_cookies=True)
