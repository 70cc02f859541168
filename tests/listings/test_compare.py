"""Products side by side: units of one family aligned, differences first, gaps named."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from catalogue.database import db
from catalogue.listings.compare import Row, aligned, figure_rows, ordered
from tests.listings.test_catalogue import imported


@pytest.mark.parametrize(
    ("value", "own", "unit", "shown"),
    [
        ("2", "MPa", "bar", "20 bar（2 MPa）"),
        ("≤ 193", "nm", "μm", "≤ 0.193 μm（≤ 193 nm）"),
        ("300", "mm", "mm", "300 mm"),
        ("0.5", "h", "min", "30 min（0.5 h）"),
        ("5", "kg", "mm", "5 kg"),
        ("约 5", "mm", "cm", "约 5 mm"),
        ("好", "", "mm", "好"),
        ("", "", "mm", None),
    ],
)
def test_units_are_aligned_within_a_family(
    value: str, own: str, unit: str, shown: str | None
) -> None:
    assert aligned({"name": "x", "value": value, "unit": own}, unit) == shown


def test_what_differs_comes_first_and_gaps_before_what_all_share() -> None:
    one = [
        {"name": "压力", "value": "2", "unit": "MPa"},
        {"name": "重量", "value": "5", "unit": "kg"},
    ]
    two = [{"name": "压力", "value": "30", "unit": "bar"}]
    rows = figure_rows([one, two])
    assert rows[0] == Row("压力", ("2 MPa", "3 MPa（30 bar）"))
    assert rows[1].lacking and not rows[1].differs
    shared = Row("类别", ("装备", "装备"))
    assert ordered([shared, rows[1], rows[0]]) == [rows[0], rows[1], shared]


def test_a_comparison_is_an_address(client: FlaskClient, session: Any) -> None:
    imported()
    db.session.commit()
    page = client.get("/catalogue/compare?listing=SL-2021-0001&listing=sl-2021-0002")
    assert page.status_code == 200
    assert page.text.count("去掉") == 2
    assert "未填" in page.text
    assert "还没有选产品" in client.get("/catalogue/compare?listing=").text
    for wrong in ("SL-1990-0001", "x", "%3Cscript%3E"):
        told = client.get(f"/catalogue/compare?listing=SL-2021-0001&listing={wrong}")
        assert told.status_code == 404
        assert "目录里没有编号" in told.text and "SL-2021-0001" in told.text
    five = "&".join(f"listing=SL-2021-000{n}" for n in range(1, 6))
    assert "一次最多比 4 件" in client.get(f"/catalogue/compare?{five}").text
