"""Products: verbs, database promises, pages, rows without script, and who sees what."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from catalogue.audit.operations import trail
from catalogue.database import db
from catalogue.errors import Refused
from catalogue.products.models import Patent, Product, Specification
from catalogue.products.operations import specification_lines, update_product
from catalogue.products.rules import PatentLine, SpecificationLine
from tests.enterprises import firms

PATENT = PatentLine("copyright", "2026SR0000147", "仿真软件", "示例公司", date(2026, 2, 11))
FORM = {
    **firms.FACTS,
    "first_sold_on": "2026-01-05",
    "specifications-0-name": "深孔形貌误差",
    "specifications-0-relation": "le",
    "specifications-0-value": "3.20",
    "specifications-0-unit": "%",
    "specifications-1-name": "",
    "specifications-1-relation": "eq",
    "specifications-1-value": "",
    "specifications-1-unit": "",
    "patents-0-kind": "copyright",
    "patents-0-number": "2026SR0000147",
    "patents-0-title": "刻蚀工艺仿真软件",
    "patents-0-holder": "示例公司",
    "patents-0-granted_on": "2026-02-11",
}


def _text(response: Any) -> str:
    return response.get_data(as_text=True)


def test_lines_are_kept_in_order_and_replaced_whole(session: Any) -> None:
    enterprise, user = firms.firm(1)
    lines = [
        SpecificationLine("误差", "le", "3.2", "%"),
        SpecificationLine("架构", "text", "分布式"),
        SpecificationLine("用时", "eq", "6", "h"),
    ]
    product = firms.product(enterprise, user, specifications=lines, patents=[PATENT])
    assert specification_lines(product) == lines
    assert [row.value for row in product.specifications] == ["≤ 3.2", "分布式", "6"]
    update_product(product, user, **firms.FACTS, specifications=lines[::-1], patents=[PATENT])
    session.commit()
    session.expire_all()
    assert specification_lines(product) == lines[::-1]
    assert trail(product)[-1].facts == {"changed": ["specifications"]}
    assert session.scalar(select(func.count(Patent.id))) == 1


def test_an_unchanged_product_leaves_no_trace(session: Any) -> None:
    enterprise, user = firms.firm(1)
    product = firms.product(enterprise, user, patents=[PATENT])
    update_product(product, user, **firms.FACTS, patents=[PATENT])
    session.commit()
    assert [e.action for e in trail(product)] == ["product.create"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "service"}, "kind"),
        ({"domain": "astrology"}, "domain"),
        ({"novelty": "best"}, "novelty"),
        ({"advancement": "best"}, "advancement"),
        ({}, "model"),
        ({"model": "V3", "patents": [PATENT, PATENT]}, "patents"),
        ({"model": "V3", "specifications": [SpecificationLine("a", "ge", "x")]}, "specifications"),
    ],
)
def test_a_product_is_refused_at_the_field(
    session: Any, changes: dict[str, Any], field: str
) -> None:
    enterprise, user = firms.firm(1)
    firms.product(enterprise, user)
    with pytest.raises(Refused) as refused:
        firms.product(enterprise, user, **changes)
    assert refused.value.field == field
    session.rollback()
    assert session.scalar(select(func.count(Product.id))) == 1


def test_another_firm_may_use_the_same_name(session: Any) -> None:
    for number in (1, 2):
        firms.product(*firms.firm(number))
    assert session.scalar(select(func.count(Product.id))) == 2


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"name": "短"}, "ck_product_name"),
        ({"name": "长" * 121}, "ck_product_name"),
        ({"model": ""}, "ck_product_model"),
        ({"model": "V" * 61}, "ck_product_model"),
        ({"kind": "service"}, "ck_product_kind"),
        ({"summary": "长" * 601}, "ck_product_summary"),
        ({"english_name": "x" * 201}, "ck_product_english"),
        ({"model": "V2.1"}, "uq_product_enterprise_id"),
    ],
)
def test_product_promises(session: Any, changes: dict[str, Any], constraint: str) -> None:
    enterprise, user = firms.firm(1)
    firms.product(enterprise, user)
    facts = {**firms.FACTS, "model": "V9", **changes}
    session.add(Product(enterprise_id=enterprise.id, **facts))
    with pytest.raises(IntegrityError, match=constraint):
        session.flush()
    session.rollback()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"relation": "about"}, "ck_specification_relation"),
        ({"number": None}, "ck_specification_number"),
        ({"relation": "text", "number": None, "words": None}, "ck_specification_words"),
        ({"position": 0}, "ck_specification_position"),
        ({"name": ""}, "ck_specification_lengths"),
        ({"unit": "u" * 21}, "ck_specification_lengths"),
        ({"position": 1}, "uq_specification_product_id"),
    ],
)
def test_specification_promises(session: Any, changes: dict[str, Any], constraint: str) -> None:
    enterprise, user = firms.firm(1)
    lines = [SpecificationLine("误差", "le", "3.2", "%")]
    product = firms.product(enterprise, user, specifications=lines)
    facts = {"position": 2, "name": "用时", "relation": "eq", "number": 6, **changes}
    session.add(Specification(product_id=product.id, **facts))
    with pytest.raises(IntegrityError, match=constraint):
        session.flush()
    session.rollback()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"kind": "medal"}, "ck_patent_kind"),
        ({"number": ""}, "ck_patent_lengths"),
        ({"number": PATENT.number}, "uq_patent_product_id"),
    ],
)
def test_patent_promises(session: Any, changes: dict[str, Any], constraint: str) -> None:
    enterprise, user = firms.firm(1)
    product = firms.product(enterprise, user, patents=[PATENT])
    facts = {**vars(PATENT), "number": "ZL1", **changes}
    session.add(Patent(product_id=product.id, **facts))
    with pytest.raises(IntegrityError, match=constraint):
        session.flush()
    session.rollback()


def test_a_product_is_registered_and_shown(client: FlaskClient, session: Any) -> None:
    _, user = firms.firm(1)
    firms.sign_in(client, user)
    assert "还没有登记产品" in _text(client.get("/products"))
    answer = firms.post(client, "/products/new", FORM)
    assert answer.status_code == 303, _text(answer)
    page = _text(client.get(answer.headers["Location"]))
    for words in (
        "刻蚀工艺仿真软件",
        "工业软件",
        "重大创新",
        "≤ 3.2",
        "2026SR0000147",
        "2026-01-05",
    ):
        assert words in page
    assert session.scalar(select(func.count(Specification.id))) == 1
    assert "刻蚀工艺仿真软件" in _text(client.get("/products"))


def test_a_row_is_added_without_script_and_nothing_is_lost(
    client: FlaskClient, session: Any
) -> None:
    _, user = firms.firm(1)
    firms.sign_in(client, user)
    page = _text(client.get("/products/new"))
    assert page.count('name="specifications-') == 2 * 4
    answer = firms.post(client, "/products/new", {**FORM, "name": "", "add_row": "specifications"})
    page = _text(answer)
    assert answer.status_code == 200
    assert "处要改" not in page
    assert page.count('name="specifications-') == 3 * 4
    assert 'value="深孔形貌误差"' in page
    assert 'value="2026SR0000147"' in page
    assert session.scalar(select(func.count(Product.id))) == 0


def test_faults_are_told_at_their_row(client: FlaskClient, session: Any) -> None:
    _, user = firms.firm(1)
    firms.sign_in(client, user)
    wrong = {
        **FORM,
        "name": "名" * 121,
        "summary": "短",
        "specifications-0-value": "很高",
        "patents-0-granted_on": "2026-02-30",
        "patents-1-granted_on": "昨天",
    }
    answer = firms.post(client, "/products/new", wrong)
    page = _text(answer)
    assert answer.status_code == 422
    for words in (
        "产品名称为 2 到 120 字",
        "请写 10 到 600 字",
        "请填数字",
        "请填日期",
        "请填写编号",
    ):
        assert words in page, words
    assert 'href="#specifications-0-value"' in page
    assert 'value="2026-02-30"' in page


def test_a_duplicate_is_told_at_the_model(client: FlaskClient, session: Any) -> None:
    enterprise, user = firms.firm(1)
    firms.product(enterprise, user)
    firms.sign_in(client, user)
    answer = firms.post(client, "/products/new", FORM)
    assert answer.status_code == 422
    assert "已经有同名同型号的产品" in _text(answer)
    other = firms.product(enterprise, user, model="V3")
    answer = firms.post(client, f"/products/{other.id}/edit", FORM)
    assert answer.status_code == 422
    assert "已经有同名同型号的产品" in _text(answer)


def test_editing_starts_from_what_is_there(client: FlaskClient, session: Any) -> None:
    enterprise, user = firms.firm(1)
    lines = [
        SpecificationLine("误差", "le", "3.2", "%"),
        SpecificationLine("架构", "text", "分布式"),
    ]
    product = firms.product(enterprise, user, specifications=lines, patents=[PATENT])
    firms.sign_in(client, user)
    page = _text(client.get(f"/products/{product.id}/edit"))
    assert 'value="3.2"' in page
    assert 'value="分布式"' in page
    assert 'value="2026-02-11"' in page
    assert page.count('name="specifications-') == 4 * 4
    fields = {key: value for key, value in FORM.items() if not key.startswith("patents")}
    assert firms.post(client, f"/products/{product.id}/edit", fields).status_code == 303
    session.expire_all()
    assert [row.name for row in product.specifications] == ["深孔形貌误差"]
    assert product.patents == []
    assert product.first_sold_on == date(2026, 1, 5)


def test_another_firms_product_is_not_there(client: FlaskClient, session: Any, app: Flask) -> None:
    product = firms.product(*firms.firm(1))
    _, stranger = firms.firm(2)
    firms.sign_in(client, stranger)
    for address in (f"/products/{product.id}", f"/products/{product.id}/edit"):
        theirs = client.get(address)
        nothing = client.get(address.replace(str(product.id), "999999"))
        assert theirs.status_code == nothing.status_code == 404
    assert (
        firms.post(client, f"/products/{product.id}/edit", FORM, page="/products/new").status_code
        == 404
    )
    assert client.get(f"/products/{2**63}").status_code == 404
    reviewer = firms.person("reviewer@demo.test", "reviewer")
    session.commit()
    staff = firms.browser(app)
    firms.sign_in(staff, reviewer)
    page = staff.get(f"/products/{product.id}")
    assert page.status_code == 200
    assert "更改" not in _text(page)
    assert staff.get("/products").status_code == 403
    assert staff.get(f"/products/{product.id}/edit").status_code == 403


def test_the_list_is_bounded_and_asks_as_often_for_many_as_for_few(
    client: FlaskClient, session: Any
) -> None:
    enterprise, user = firms.firm(1)
    firms.sign_in(client, user)
    counts = []
    for number in range(45):
        firms.product(enterprise, user, model=f"V{number}")
        if number in (0, 44):
            counts.append(_queries(client, "/products"))
    assert counts[0] == counts[1]
    assert counts[1] <= 15
    page = _text(client.get("/products"))
    assert page.count('scope="row"') == 20
    assert "共 45 件" in page
    assert _text(client.get("/products?page=3")).count('scope="row"') == 5
    assert "这一页没有产品" in _text(client.get("/products?page=99"))
    for odd in ("0", "-1", "x", "9" * 30):
        assert client.get(f"/products?page={odd}").status_code == 200


def _queries(client: FlaskClient, address: str) -> int:
    asked: list[str] = []

    def listener(*call: Any) -> None:
        asked.append(call[2])

    db.session.rollback()
    event.listen(db.engine, "before_cursor_execute", listener)
    try:
        assert client.get(address).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", listener)
    return len(asked)
