"""The self-check and what-if: no account, no cookie, no row; and an address that keeps."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from catalogue.database import SHANGHAI, db, utc_now
from catalogue.policies import self_check_views
from tests import builders

FITTING = {
    "enterprise_district": "310115",
    "product_kind": "software",
    "product_domain": "sw_industrial",
    "patents-0-kind": "copyright",
    "patents-0-holder_matches": "yes",
    "declarations_credit_good": "yes",
    "declarations_same_version": "yes",
    "materials": "all",
    "history_support": "no",
}


def _contract(amount: str, days_ago: int = 10, at: int = 0) -> dict[str, str]:
    day = (utc_now().astimezone(SHANGHAI).date() - timedelta(days=days_ago)).isoformat()
    return {
        f"contracts-{at}-signed_on": day,
        f"contracts-{at}-invoiced_on": day,
        f"contracts-{at}-amount": amount,
        f"contracts-{at}-received": amount,
        f"contracts-{at}-buyer_related": "no",
    }


@pytest.fixture
def opened(session: Any) -> Any:
    """An open round of the software scheme."""
    found = builders.opened("first_version")
    session.commit()
    return found


def _rows() -> dict[str, int]:
    names = [table.name for table in db.metadata.sorted_tables]
    counts = " UNION ALL ".join(f"SELECT '{n}', count(*) FROM {n}" for n in names)
    return {row[0]: row[1] for row in db.session.execute(text(counts))}


def test_the_self_check_keeps_nothing_and_says_how_to_pass(
    client: FlaskClient, opened: Any
) -> None:
    before = _rows()
    assert "首版次软件" in client.get("/self-check").text
    page = client.get("/self-check/first_version")
    assert page.status_code == 200
    assert "不登录，不保存" in page.text
    answered = client.post("/self-check/first_version", data={**FITTING, **_contract("499999.99")})
    assert answered.status_code == 200
    assert "不符合条件" in answered.text
    assert "少 0.01 元" in answered.text
    assert "再有一个合同：金额至少 0.01 元" in answered.text
    right = client.post("/self-check/first_version", data={**FITTING, **_contract("500000")})
    assert "按这些答案，符合条件" in right.text
    assert "100,000.00" in right.text
    for response in (page, answered, right):
        assert "Set-Cookie" not in response.headers
    assert answered.headers["Cache-Control"] == "no-store"
    assert "noindex" in answered.headers["X-Robots-Tag"]
    db.session.rollback()
    assert _rows() == before


def test_what_is_not_answered_is_unknown(client: FlaskClient, opened: Any) -> None:
    page = client.post("/self-check/first_version", data={})
    assert page.status_code == 200
    assert "无法判定" in page.text
    assert "按这些答案，符合条件" not in page.text


WRONG = [
    ({"contracts-0-amount": "9" * 10_000}, "请填金额"),
    ({"contracts-0-amount": "-1"}, "请填金额"),
    ({"contracts-0-signed_on": "2024-02-30"}, "请填日期"),
    ({"product_kind": "spaceship"}, "请从列表里选一项"),
    ({"materials": "some"}, "请勾上还缺的材料"),
]
NOWHERE = [
    "v=none&d=2026-11-24&r=2026.2026-09-01.2026-11-30",
    "v=2020-1&d=2026-02-30&r=2026.2026-09-01.2026-11-30",
    "v=2020-1&d=2026-11-24&r=9999.2026-09-01.2026-11-30",
    "v=2020-1&d=2026-11-24",
    "v=2020-1&d=2026-11-24&r=2026.2026-12-01.2026-11-30",
]


def test_bad_input_is_refused_in_words_and_stays_on_the_page(
    client: FlaskClient, opened: Any
) -> None:
    for wrong, words in WRONG:
        page = client.post("/self-check/first_version", data={**FITTING, **wrong})
        assert page.status_code == 422
        assert words in page.text
        assert re.search(
            r'<option (selected value="copyright"|value="copyright" selected)', page.text
        )
    odd = {
        "contracts-²-amount": "1",
        f"contracts-{'9' * 5_000}-amount": "1",
        "contracts-99-amount": "x",
    }
    assert client.post("/self-check/first_version", data=odd).status_code == 200
    for query in NOWHERE:
        assert client.get(f"/what-if/first_version?{query}").status_code == 404, query
    assert client.get("/what-if/first_version?x=" + "y" * 7_000).status_code == 422


def _result(page: str) -> list[str]:
    found = re.search(r'<div class="trial-result".*?</form>', page, re.DOTALL)
    assert found
    worksheet = re.search(r'<section class="panel worksheet">.*?</section>', page, re.DOTALL)
    assert worksheet
    return [found.group(), worksheet.group()]


def test_a_permalink_shows_the_same_answer_later(
    client: FlaskClient, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.post("/what-if/first_version", data={**FITTING, **_contract("2500000.05")})
    assert first.status_code == 200
    assert "500,000.00" in first.text
    link = re.search(r'href="(/what-if/first_version\?[^"]+)"', first.text)
    assert link
    address = link.group(1).replace("&amp;", "&")
    at_once = client.get(address)
    later = utc_now() + timedelta(days=400)
    monkeypatch.setattr(self_check_views, "utc_now", lambda: later)
    long_after = client.get(address)
    assert _result(at_once.text) == _result(long_after.text) == _result(first.text)
    stamp = r"指纹 <span[^>]*>([0-9a-f]{16})<"
    marks = [re.search(stamp, page.text) for page in (first, at_once, long_after)]
    assert len({mark.group(1) for mark in marks if mark}) == 1
    assert "按今天重算" not in at_once.text
    assert "按今天重算" in long_after.text
    assert "Set-Cookie" not in at_once.headers
