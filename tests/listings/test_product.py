"""The product page: standing and first-purchase right to the day, and the page for machines."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from catalogue.certificates.rules import Standing
from catalogue.database import db
from catalogue.listings.models import Listing
from catalogue.listings.operations import listing_of, shanghai_day
from catalogue.listings.product import first_purchase, need_rows
from tests import builders
from tests.listings.test_catalogue import statements

TODAY = date(2026, 11, 24)
VALID = Standing("valid", "ok", "有效", "")
SUSPENDED = Standing("suspended", "waiting", "已暂停", "")


def entry(until: date | None, **changes: Any) -> Listing:
    """An entry that came from an application."""
    told = {"application_id": 1, "first_purchase": True, "status": "listed", **changes}
    return Listing(number="SHCP-2026-0001", valid_until=until, **told)


@pytest.mark.parametrize(
    ("until", "opened", "days", "working", "left"),
    [
        (date(2026, 11, 23), False, None, None, ""),
        (date(2026, 11, 24), True, 0, 0, "今天最后一天"),
        (date(2026, 11, 30), True, 6, 4, "剩 4 个工作日（6 天）"),
        (date(2036, 1, 1), True, 3325, None, "剩 3325 天（工作日数待放假安排公布）"),
        (None, False, None, None, ""),
    ],
)
def test_the_right_ends_with_its_last_day_and_never_guesses_working_days(
    until: date | None, opened: bool, days: int | None, working: int | None, left: str
) -> None:
    right = first_purchase(entry(until), VALID, TODAY)
    assert (right.open, right.days, right.working_days, right.left) == (
        opened, days, working, left,
    )  # fmt: skip


def test_no_right_without_a_valid_certificate_or_when_sold_or_removed_before() -> None:
    until = date(2026, 12, 31)
    for listing, certified in (
        (entry(until), SUSPENDED),
        (entry(until, first_purchase=False), VALID),
        (entry(until, status="removed"), VALID),
        (entry(until, status="suspended"), SUSPENDED),
        (entry(until, application_id=None), None),
    ):
        right = first_purchase(listing, certified, TODAY)
        assert not right.open and right.reason


def test_figures_become_the_rows_of_a_need() -> None:
    figures = [
        {"name": "产能", "value": "≥ 96", "unit": "片/h"},
        {"name": "深宽比", "value": "40 : 1", "unit": ""},
        {"name": "寸", "value": "300", "unit": "mm"},
    ]
    told = [(row["figure"], row["relation"], row["amount"]) for row in need_rows(figures, 8)]
    assert told == [("产能", "ge", "96"), ("寸", "eq", "300")]
    assert len(need_rows(figures * 9, 8)) == 8


def data_of(text: str) -> Any:
    """The JSON-LD of a page."""
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_listed_product_shows_all_that_stands_behind_it(
    client: FlaskClient, session: Any
) -> None:
    builders.opened("first_purchase")
    application = builders.concluded()
    application.product.first_sold_on = None
    listing = listing_of(application.id)
    assert listing is not None
    number, firm = listing.number, application.enterprise
    db.session.commit()
    with statements() as sent:
        page = client.get(f"/catalogue/{number}")
    assert len(sent) <= 16, sent
    assert page.status_code == 200
    assert f"/certificates/{number}" in page.text and "示范公示" in page.text
    # On a phone what the authority says comes before the long text, for eyes and ears alike.
    order = [page.text.index(mark) for mark in ("<h1", 'class="official"', ">技术指标<")]
    assert order == sorted(order)
    assert firm.credit_code in page.text
    assert firm.contact_phone not in page.text and "采购单位登录" in page.text
    told = data_of(page.text)
    assert told["@type"] == "Product" and told["sku"] == number
    assert told["hasCertification"]["expires"] == str(listing.valid_until)
    assert told["additionalProperty"][0]["value"] == "有效"
    if listing.first_purchase:
        assert "/schemes/first_purchase/2017-1/articles/" in page.text
    buyer = builders.user("buyer")
    db.session.commit()
    builders.sign_in(client, buyer)
    assert firm.contact_phone in client.get(f"/catalogue/{number}").text
    builders.change_certificate(application, "suspended")
    db.session.commit()
    held = client.get(f"/catalogue/{number}")
    assert "hasCertification" not in data_of(held.text)
    assert "暂停推荐" in held.text and "凭什么直接首购" not in held.text
    builders.change_certificate(application, "revoked")
    db.session.commit()
    gone = client.get(f"/catalogue/{number}")
    assert "已移出目录" in gone.text and "凭什么直接首购" not in gone.text


def test_names_with_markup_stay_text_for_people_and_machines(
    client: FlaskClient, session: Any
) -> None:
    evil = '</script><script>alert(1)</script>"&'
    db.session.add(
        Listing(
            number="SL-2026-0001",
            source_list="测试",
            name=evil,
            firm_name="甲",
            kind="other",
            listed_on=shanghai_day() - timedelta(days=1),
            specifications=[{"name": evil, "value": "1", "unit": "<nm"}],
        )
    )
    db.session.commit()
    text = client.get("/catalogue/SL-2026-0001").text
    assert "<script>alert" not in text
    told = data_of(text)
    assert told["name"] == evil and told["additionalProperty"][1]["unitText"] == "<nm"
    assert "hasCertification" not in told
