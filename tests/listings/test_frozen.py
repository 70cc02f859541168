"""Frozen searches: what was seen stays, anyone can check it, nobody learns who saw it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from cryptography import x509
from flask import Flask, current_app
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.datastructures import MultiDict

from catalogue import keys
from catalogue.certificates import verifier
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.listings import follow, freezing, frozen_paper
from catalogue.listings.frozen import Seen, canonical, content_of, differences, digest, since
from catalogue.listings.models import Frozen
from catalogue.listings.operations import remove, shanghai_day
from catalogue.listings.seeing import entries, see
from tests import builders
from tests.listings.test_catalogue import statements
from tests.listings.test_need import listing

NOW = datetime(2026, 11, 24, 4, 5, 6, tzinfo=UTC)
FACT = {
    "number": "SL-2026-0001",
    "name": "甲",
    "firm": "乙",
    "model": "",
    "kind": "其他产品",
    "state": "有效",
    "valid_until": "2027-01-01",
    "first_purchase": True,
    "figures": [{"name": "波长", "value": "193", "unit": "nm"}],
}


def seen(*results: Any, total: int | None = None) -> Seen:
    """A search that found these."""
    count = len(results) if total is None else total
    return Seen("search", "/catalogue?q=x", ("“x”",), count, results)


def test_equal_facts_make_equal_bytes_and_any_change_another_hash() -> None:
    one, two = (content_of("XC-2026-000000000000", seen(FACT), NOW) for _ in range(2))
    assert canonical(one) == canonical(json.loads(canonical(two)))
    two["results"][0]["firm"] = "丙"
    assert digest(one) != digest(two)
    assert "owner" not in canonical(one).decode()


def test_changes_are_told_in_words_and_only_when_there_are_any() -> None:
    assert differences(FACT, dict(FACT)) == []
    later = {**FACT, "state": "已到期", "first_purchase": False, "figures": []}
    assert differences(FACT, later) == [
        "状态：有效 → 已到期", "直接首购：可以 → 不适用", "波长：193 nm → 未填",
    ]  # fmt: skip
    assert differences(FACT, None) == ["目录里已没有这个编号"]


def test_new_and_gone_are_told_only_of_answers_kept_whole() -> None:
    other = {**FACT, "number": "SL-2026-0002"}
    kept = content_of("XC-2026-000000000000", seen(FACT), NOW)
    told = since(kept, {"SL-2026-0001": FACT}, seen(other))
    assert (told.changed, list(told.gone)) == ({}, ["SL-2026-0001"])
    assert [result["number"] for result in told.new] == ["SL-2026-0002"]
    cut = content_of("XC-2026-000000000000", seen(FACT, total=7), NOW)
    assert not since(cut, {"SL-2026-0001": FACT}, seen(other)).gone
    assert not since(kept, {"SL-2026-0001": FACT}, None).asked


@pytest.fixture
def shelf(app: Flask, session: Any) -> Iterator[Any]:
    """Two products on the shelf, one with a name that a spreadsheet would run."""
    follow.follower().look_every = 0
    day = shanghai_day()
    first, second = (
        listing(place, "193", "equipment", day + timedelta(days=30)) for place in (1, 2)
    )
    second.name = "=cmd|' /C calc'!A0 <i>斜</i>"
    db.session.add_all([first, second])
    db.session.commit()
    yield session
    follow.follower().look_every = follow.LOOK_EVERY


def frozen_by(person: Any, kind: str = "search", query: Any = None) -> Frozen:
    """What ``person`` froze of everything."""
    found = see(kind, MultiDict(query or {}), shanghai_day())
    assert found is not None
    made = freezing.freeze(person, found, "项目甲", utc_now())
    db.session.commit()
    return made


def test_a_buyer_freezes_takes_it_away_and_a_stranger_checks_it(
    client: FlaskClient, shelf: Any
) -> None:
    buyer = builders.user("buyer", "陈采购")
    db.session.commit()
    builders.sign_in(client, buyer)
    address = "/frozen/new/search?kind=equipment"
    assert client.get("/frozen/new/search?q=nichts").status_code == 422
    long = builders.post(client, address, {"purpose": "长" * 121})
    assert long.status_code == 422 and "长长" in long.text
    told = builders.post(client, address, {"purpose": "<b>项目</b>"})
    assert told.status_code == 303
    place = told.headers["Location"]
    number = place.rpartition("/")[2]
    mine = client.get(place)
    assert "与冻结时一致" in mine.text and "&lt;b&gt;项目" in mine.text
    assert number in client.get("/frozen").text
    pdf = client.get(f"{place}/frozen.pdf")
    assert pdf.data == client.get(f"{place}/frozen.pdf").data
    words = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf.data)).pages)
    kept = db.session.query(Frozen).one()
    for said in ("陈采购", number, kept.sha256, f"/frozen/{number}", "SL-2026-0002"):
        assert said in words.replace("\n", ""), said
    book = openpyxl.load_workbook(BytesIO(client.get(f"{place}/frozen.xlsx").data))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in cells)
    assert all(cell.quotePrefix for cell in cells if str(cell.value).startswith("=cmd"))
    assert any(str(cell.value).startswith("=cmd") for cell in cells)

    stranger = current_app.test_client()
    public = stranger.get(place)
    assert public.status_code == 200 and "当时所见" in public.text
    assert "陈采购" not in public.text and "项目" not in public.text.split("<main")[1]
    assert "<i>斜" not in public.text
    for typed in (number.lower(), kept.sha256.upper()):
        assert stranger.get(f"/frozen/check?q={typed}").headers["Location"] == place
    assert stranger.get("/frozen/check?q=XC-2026-AAAAAAAAAAAA").status_code == 404
    assert stranger.get(f"{place}/frozen.pdf").status_code == 303
    other = builders.user("buyer")
    db.session.commit()
    builders.sign_in(stranger, other)
    assert stranger.get(f"{place}/frozen.pdf").status_code == 404
    assert "项目" not in stranger.get("/frozen").text.split("<main")[1]


def test_half_an_answer_is_not_frozen(shelf: Any) -> None:
    with pytest.raises(Refused):
        freezing.freeze(builders.user("buyer"), replace(seen(FACT), complete=False), "", NOW)


def test_the_stand_alone_verifier_accepts_the_signed_file_and_no_other(
    client: FlaskClient, shelf: Any, tmp_path: Path
) -> None:
    made = frozen_by(builders.user("buyer"))
    data = client.get(f"/frozen/{made.number}/frozen.json").data
    root = x509.load_pem_x509_certificate(keys.of(current_app.config).root_pem.encode())
    path = tmp_path / "frozen.json"
    path.write_bytes(data)
    assert "签名有效" in verifier.check(path, [root], None)
    path.write_bytes(data.replace("测试公司".encode(), "冒名公司".encode()))
    with pytest.raises(verifier.Fault):
        verifier.check(path, [root], None)


def test_nobody_changes_or_deletes_what_was_frozen(shelf: Any) -> None:
    made = frozen_by(builders.user("buyer"))
    for attack in (
        "UPDATE frozen SET content = jsonb_set(content, '{total}', '9')",
        "UPDATE frozen SET owner_id = owner_id + 1",
        "UPDATE frozen SET sha256 = repeat('a', 64)",
        "DELETE FROM frozen",
    ):
        with pytest.raises(DBAPIError):
            db.session.execute(text(attack))
        db.session.rollback()
    assert freezing.holds(made)
    # Whoever gets past the guards of the database still cannot sign.
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
    db.session.execute(text("UPDATE frozen SET content = jsonb_set(content, '{total}', '9')"))
    db.session.expire_all()
    assert not freezing.holds(made)
    db.session.rollback()


def test_opened_later_it_shows_that_day_and_what_changed(client: FlaskClient, shelf: Any) -> None:
    made = frozen_by(builders.user("buyer"))
    db.session.add(listing(3, "10", "equipment", None))
    remove(entries(["SL-2026-0001"])["SL-2026-0001"], None, "示例")
    db.session.commit()
    place = f"/frozen/{made.number}"
    client.get(place)
    with statements() as sent:
        page = client.get(place)
    assert len(sent) <= 6, sent
    assert "状态：有效 → 已移出目录" in page.text or "即将到期 → 已移出目录" in page.text
    assert "SL-2026-0003" in page.text and "多查到它" in page.text
    assert "与冻结时一致" in page.text


def test_a_need_and_a_comparison_are_frozen_with_their_answers(shelf: Any) -> None:
    person = builders.user("buyer")
    row = [("figure", "波长"), ("relation", "le"), ("amount", "100"), ("upto", ""), ("unit", "nm")]
    need = frozen_by(person, "need", row)
    answer = need.content["results"][0]["answers"][0]
    assert (answer["verdict"], answer["gap"]) == ("misses", "差 93 nm")
    assert "差 93 nm" in frozen_paper.answers_of(need.content["results"][0])
    pair = [("listing", "SL-2026-0002"), ("listing", "SL-2026-0001"), ("listing", "SL-1999-0001")]
    both = frozen_by(person, "comparison", pair)
    assert [r["number"] for r in both.content["results"]] == ["SL-2026-0002", "SL-2026-0001"]
    for made in (need, both):
        told = freezing.since_then(made, shanghai_day())
        assert told.asked and not (told.changed or told.gone or told.new)
