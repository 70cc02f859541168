"""From the need to the product: what meets, what misses by how much, what nobody stated."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from catalogue.database import db
from catalogue.listings import ask as asking
from catalogue.listings import candidates, follow
from catalogue.listings.figures import MEETS, MISSES, UNKNOWN, judge
from catalogue.listings.index import Replica
from catalogue.listings.models import KINDS, Listing
from catalogue.listings.need import Need, Wish, answer, judged, read
from catalogue.listings.operations import shanghai_day
from tests.listings.test_catalogue import statements


def wish(text: str) -> Wish:
    """A wish of ``figure relation amount [upto] unit``, separated by spaces; ``-`` is empty."""
    figure, relation, amount, upto, unit = ("" if part == "-" else part for part in text.split())
    return Wish(figure, relation, Decimal(amount), Decimal(upto) if upto else None, unit)


@pytest.mark.parametrize(
    ("stated", "asked", "verdict", "gap"),
    [
        ("波长 193 nm", "波长 le 193 - nm", MEETS, ""),
        ("波长 248 nm", "波长 le 193 - nm", MISSES, "差 55 nm"),
        ("波长 0.248 μm", "波长 le 193 - nm", MISSES, "差 55 nm"),
        ("波长 ≤248 nm", "波长 le 193 - nm", MISSES, "差 55 nm"),
        ("波长 ≥100 nm", "波长 le 193 - nm", UNKNOWN, "写法或单位不能比"),
        ("波长 ≥200 nm", "波长 le 193 - nm", MISSES, "至少差 7 nm"),
        ("产能 ≥96 片/h", "产能 ge 100 - 片/h", MISSES, "差 4 片/h"),
        ("产能 100 片/h", "产能 ge 100 - 片/h", MEETS, ""),
        ("压力 20 bar", "压力 eq 2 - MPa", MEETS, ""),
        ("温度 10~20 ℃", "温度 in 10 20 ℃", MEETS, ""),
        ("温度 9~21.5 ℃", "温度 in 10 20 ℃", MISSES, "差 1.5 ℃"),
        ("温度 ≤25 ℃", "温度 in 10 20 ℃", MISSES, "至少差 5 ℃"),
        ("温度 常温 -", "温度 in 10 20 ℃", UNKNOWN, "写法或单位不能比"),
        ("温度 300 K", "温度 le 10 - ℃", UNKNOWN, "写法或单位不能比"),
        ("重量 5 kg", "温度 le 10 - ℃", UNKNOWN, "没有写明"),
        ("偏差 0 mm", "偏差 ge 0 - mm", MEETS, ""),
    ],
)
def test_a_row_is_met_missed_by_so_much_or_unknown(
    stated: str, asked: str, verdict: str, gap: str
) -> None:
    name, value, unit = stated.split()
    figure = {"name": name, "value": value, "unit": "" if unit == "-" else unit}
    told = answer([figure], wish(asked))
    assert (told.verdict, told.gap) == (verdict, gap)
    assert (told.share == 0) == (verdict == MEETS)


def test_a_figure_of_exactly_that_name_goes_before_longer_names() -> None:
    figures = [
        {"name": "波长精度", "value": "1", "unit": "nm"},
        {"name": "波长", "value": "248", "unit": "nm"},
    ]
    assert answer(figures, wish("波长 le 193 - nm")).gap == "差 55 nm"
    assert answer(figures[:1], wish("波长 le 193 - nm")).verdict == MEETS


@given(
    value=st.integers(0, 400),
    unit=st.sampled_from(["nm", "μm"]),
    relation=st.sampled_from(["le", "ge", "eq"]),
    amount=st.integers(0, 400),
)
def test_a_row_agrees_with_the_limits_of_a_search(
    value: int, unit: str, relation: str, amount: int
) -> None:
    figures = [{"name": "波长", "value": str(value), "unit": unit}]
    one = Wish("波长", relation, Decimal(amount), None, "nm")
    assert answer(figures, one).verdict == judge(figures, one.limits[0])


@dataclass(frozen=True)
class Thing:
    """A product as judging sees it."""

    number: str
    facts: Mapping[str, Any]


def thing(number: str, **figures: str) -> Thing:
    """A product with figures in mm."""
    told = [{"name": name, "value": value, "unit": "mm"} for name, value in figures.items()]
    return Thing(number, {"specifications": told})


def test_what_meets_everything_comes_first_then_the_nearest_then_by_number() -> None:
    need = Need((wish("长 le 100 - mm"), wish("宽 le 100 - mm")))
    things = [
        thing("1-silent"),
        thing("2-far", 长="190", 宽="190"),
        thing("3-near", 长="100", 宽="101"),
        thing("4-half", 长="100"),
        thing("6-meets", 长="90", 宽="90"),
        thing("5-meets", 长="1", 宽="1"),
    ]
    found = judged(things, need)
    assert [each.product.number for each in found] == [
        "5-meets", "6-meets", "3-near", "4-half", "2-far", "1-silent",
    ]  # fmt: skip
    assert [each.verdict for each in found] == [MEETS, MEETS, MISSES, UNKNOWN, MISSES, UNKNOWN]


def test_the_address_is_the_need_and_nothing_typed_is_lost() -> None:
    typed = [("kind", "equipment")]
    typed += [
        ("figure", "波长"),
        ("relation", "le"),
        ("amount", "１９３"),
        ("upto", ""),
        ("unit", "nm"),
    ]
    typed += [
        ("figure", "温度"),
        ("relation", "in"),
        ("amount", "10"),
        ("upto", "5"),
        ("unit", "℃"),
    ]
    asked = read(MultiDict(typed), KINDS)
    assert asked.need == Need((wish("波长 le 193 - nm"),), kind="equipment")
    assert asked.rows[1].faults == {"upto": "应不小于前面的数"}
    assert asked.rows[1].typed["figure"] == "温度"
    again = read(MultiDict(parse_qsl(urlencode(asked.need.pairs), keep_blank_values=True)), KINDS)
    assert again.need == asked.need and not again.faults
    assert len(read(MultiDict([*typed, ("more", "1")]), KINDS).rows) == 3
    many = read(MultiDict([("figure", str(n)) for n in range(500)]), KINDS)
    assert len(many.rows) == 8 and many.faults
    assert all(row.faults for row in many.rows)


@pytest.fixture
def shelf(app: Flask, session: Any) -> Iterator[Any]:
    """Three machines with figures, one that expired, one of another kind."""
    follow.follower().look_every = 0
    day = shanghai_day()
    for place, (value, kind, until) in enumerate(
        [
            ("193", "equipment", day + timedelta(days=1)),
            ("248", "equipment", None),
            ("200", "equipment", day),
            ("13", "equipment", day - timedelta(days=1)),
            ("193", "material", None),
        ],
        start=1,
    ):
        db.session.add(listing(place, value, kind, until))
    db.session.commit()
    yield session
    follow.follower().look_every = follow.LOOK_EVERY


def listing(place: int, value: str, kind: str, until: date | None) -> Listing:
    """A product of an imported list that states one figure."""
    return Listing(
        number=f"SL-2026-{place:04d}",
        source_list="测试名单",
        name=f"<b>测试{place}</b>",
        firm_name="测试公司",
        kind=kind,
        listed_on=shanghai_day() - timedelta(days=9),
        valid_until=until,
        specifications=[{"name": "波长", "value": value, "unit": "nm"}],
    )


NEED = "/catalogue/need?kind=equipment&figure=波长&relation=le&amount=0.193&upto=&unit=μm"


def test_the_page_answers_in_few_queries_and_escapes(client: FlaskClient, shelf: Any) -> None:
    client.get(NEED)
    with statements() as sent:
        page = client.get(NEED)
    assert page.status_code == 200
    assert "1 件都符合" in page.text and "差 0.055 μm" in page.text
    places = [page.text.index(f"SL-2026-{n:04d}") for n in (1, 3, 2)]
    assert places == sorted(places)
    assert "SL-2026-0004" not in page.text and "SL-2026-0005" not in page.text
    assert "<b>测试" not in page.text
    assert len(sent) <= 3, sent


def test_more_than_are_shown_are_a_search_away(client: FlaskClient, shelf: Any) -> None:
    for place in range(10, 70):
        row = listing(place, "1", "equipment", None)
        row.specifications = [{"name": "光 波长", "value": "1", "unit": "nm"}]
        db.session.add(row)
    db.session.commit()
    page = client.get("/catalogue/need?figure=光 波长&relation=le&amount=5&upto=&unit=nm").text
    found = re.search(r'href="([^"]+)">看全部都符合的', page)
    assert found and "60 件都符合" in page and page.count('name="listing"') == candidates.SHOWN
    assert "找到 60 件" in client.get(html.unescape(found[1])).text


def test_the_index_picks_the_same_as_looking_at_every_product(tmp_path: Path) -> None:
    chance = random.Random(7)
    day = date(2026, 11, 24)
    entries = []
    for place in range(1, 601):
        figures = [
            {
                "name": name,
                "value": chance.choice(signs) + str(chance.randint(1, most)),
                "unit": "mm",
            }
            for name, signs, most in (("长", ("", "≤ ", "≥ "), 900), ("宽", ("",), 90))
            if chance.random() < 0.7
        ]
        entries.append(entry(place, figures, day))
    replica = Replica(tmp_path)
    with replica.writing():
        replica.rebuild(entries, "x", 0)
    reader = replica.reader()
    assert reader is not None
    products = [Thing(each["number"], each) for each in entries]
    for texts in (("长 le 50 - mm", "宽 ge 80 - mm"), ("长 eq 400 - mm",), ("宽 in 40 42 mm",)):
        need = Need(tuple(map(wish, texts)))
        every = [c for c in judged(products, need) if any(a.stated for a in c.answers)]
        found = candidates.from_index(reader, need, day)
        told = [[c.order for c in some[:20]] for some in (every, found.shown)]
        assert told[0] == told[1]
        assert found.stating == len(every)
        assert found.meeting == sum(c.verdict == MEETS for c in every)


def entry(place: int, figures: list[dict[str, str]], day: date) -> dict[str, Any]:
    """A product as the index takes it."""
    columns = dict.fromkeys(column.name for column in Listing.__table__.columns)
    return {
        **columns,
        "id": place,
        "number": f"SL-2026-{place:04d}",
        "name": "件",
        "firm_name": "乙",
        "kind": "other",
        "region": "",
        "summary": "",
        "listed_on": day,
        "specifications": figures,
        "first_purchase": False,
        "sample": False,
        "status": "listed",
    }


def test_wrong_rows_are_told_at_their_box(client: FlaskClient, shelf: Any) -> None:
    page = client.get("/catalogue/need?figure=波长&relation=le&amount=viel&unit=nm")
    assert page.status_code == 422
    assert 'value="viel"' in page.text and "请填数字" in page.text
    for odd in ("relation=xx&figure=a&amount=1", "figure=%01&amount=1", "amount=1" * 3, "kind=x"):
        assert client.get(f"/catalogue/need?{odd}").status_code in (200, 422)
    assert "先写一项指标" in client.get("/catalogue/need").text


def test_without_the_index_the_database_answers_the_same(shelf: Any) -> None:
    need = Need((wish("波长 le 193 - nm"),), kind="equipment")
    day = shanghai_day()
    with_index = asking.nearest(need, day)
    without = candidates.from_database(need, day)
    assert with_index.complete and not without.complete
    told = [
        [(each.product.number, each.verdict) for each in found.shown]
        for found in (with_index, without)
    ]
    assert told[0] == told[1]
    assert (with_index.meeting, with_index.stating) == (without.meeting, without.stating) == (1, 3)
