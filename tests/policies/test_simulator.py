"""The simulator: figures worked out by hand, links that give the same answer, and who may look."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from catalogue.database import db
from catalogue.policies import simulator
from catalogue.policies.facts import as_day
from catalogue.policies.operations import PastCase
from catalogue.policies.rules import load, with_parameters
from tests import builders

DOCUMENT = load(Path("seeds/policies/first_version-2020.yaml").read_text(encoding="utf-8"))
BASE = DOCUMENT.examples[0]


def case(number: int, firm: str, yuan: int, verdict: str = "eligible", year: int = 2026) -> Any:
    """A past claim of one contract of ``yuan``; recorded with 20 % of it, capped at 500,000."""
    day = as_day(date(2026, 10, 20))
    contract = {
        "number": f"HT-{number}", "buyer": "甲", "signed_on": day, "invoiced_on": day,
        "amount": yuan * 100, "received": 1_00, "buyer_related": False,
    }  # fmt: skip
    facts = {
        **BASE.facts,
        "enterprise": {**BASE.facts["enterprise"], "credit_code": firm, "name": f"单位{firm}"},
        "contracts": [contract],
        "round": {**BASE.facts["round"], "year": year},
    }
    amount = min(yuan * 20, 500_000_00)
    decided = date(2026, 11, 1) + timedelta(days=number)
    return PastCase(
        number, f"SB-2026-{number:04d}", 1, "first_version", verdict, amount, "310115", "small",
        decided, facts,
    )  # fmt: skip


CASES = [
    case(1, "A", 500_000),
    case(2, "B", 600_000),
    case(3, "B", 1_000_000),
    case(4, "C", 400_000, verdict="ineligible"),
    case(5, "D", 499_999, verdict="ineligible"),
    case(6, "A", 2_500_000, year=2025),
]


def test_nothing_turned_changes_nothing() -> None:
    found = simulator.simulate(DOCUMENT, CASES)
    assert (found.came_in, found.fell_out, found.tally.flipped) == ((), (), 0)
    assert found.tally.total.new_fen == 10_000_000 + 12_000_000 + 20_000_000 + 50_000_000
    assert (found.year, found.year_fen) == (2026, 42_000_000)


def test_a_lower_threshold_and_another_rate_by_hand() -> None:
    turned = with_parameters(
        DOCUMENT, {"min_total_sales": Decimal("400000.00"), "rate": Decimal("0.10")}
    )
    found = simulator.simulate(turned, CASES)
    assert [firm.code for firm in found.came_in] == ["C", "D"]
    assert found.fell_out == ()
    assert (found.firms_before, found.firms_after) == (2, 4)
    # 50,000 + 60,000 + 100,000 + 40,000 + 49,999.90 this year, 250,000 of the year before.
    assert found.year_fen == 5_000_000 + 6_000_000 + 10_000_000 + 4_000_000 + 4_999_990
    assert found.tally.total.new_fen == found.year_fen + 25_000_000
    assert found.used_up(found.year_fen) is None
    assert found.used_up(found.year_fen - 1) == (5, date(2026, 11, 6))
    assert found.used_up(10_999_999) == (2, date(2026, 11, 3))


def test_a_higher_threshold_loses_a_firm_that_has_no_other_case() -> None:
    turned = with_parameters(DOCUMENT, {"min_total_sales": Decimal("600000.01")})
    found = simulator.simulate(turned, CASES)
    assert [firm.code for firm in found.fell_out] == [], "A keeps its case of the year before"
    assert [firm.code for firm in simulator.simulate(turned, CASES[:5]).fell_out] == ["A"]


def test_three_years_grow_to_the_fen() -> None:
    years = simulator.path(2026, 100_05, 300_00, 1100, 1000)
    # 100.05 → 110.055, half up → 110.06 → 121.066 → 121.07
    assert [year.money_fen for year in years] == [100_05, 110_06, 121_07]
    assert [year.left_fen for year in years] == [199_95, 189_94, 178_93]
    assert simulator.path(2026, 5, None, 1000, 1000)[2].left_fen is None


def _shown(client: FlaskClient, role: str = "administrator") -> str:
    application = builders.submitted()
    db.session.commit()
    builders.sign_in(client, builders.user(role))
    version = application.policy.version
    return f"/policies/simulator?scheme=first_version&version={version}"


def test_a_link_gives_the_same_page_and_scenarios_stand_side_by_side(
    session: Any, client: FlaskClient
) -> None:
    address = _shown(client)
    turned = f"{address}&v_rate=10&budget=1.00&growth=5"
    first = client.get(turned)
    assert first.status_code == 200
    assert "预算不够" in first.text
    assert client.get(turned).text.split("<main")[1] == first.text.split("<main")[1]
    spelled = client.get(f"{address}&v_rate=10.0&growth=5&budget=1&v_max_contracts=3")
    assert "v_rate=10&amp;budget=1.00&amp;growth=5" in spelled.text, "one spelling of a link"
    query = turned.partition("?")[2]
    compared = client.get(
        "/policies/simulator/compare",
        query_string={"s": [query, query.replace("v_rate=10", "v_rate=30")]},
    ).text
    assert "10 %" in compared and "30 %" in compared
    assert compared.index("支持比例") < compared.index("累计销售"), "what differs comes first"
    sheet = client.get(f"/policies/simulator/figures.csv?{query}").text
    assert "支持比例,10 %" in sheet and "2026 年金额（元）" in sheet


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        ("&v_rate=101", 422),
        ("&v_min_total_sales=-1", 422),
        ("&v_rate=", 422),
        ("&budget=1e9", 422),
        ("&growth=101", 422),
        ("&v_max_contracts=" + "9" * 400, 422),
        ("&nonsense=1", 200),
        ("&version=nowhere", 200),
    ],
)
def test_bad_numbers_are_told_at_their_field(
    session: Any, client: FlaskClient, tail: str, status: int
) -> None:
    answer = client.get(_shown(client, "approver") + tail)
    assert answer.status_code == status
    assert ("有 1 处要改" in answer.text) == (status == 422)


def test_what_is_not_there_is_404(session: Any, client: FlaskClient) -> None:
    _shown(client)
    for address in (
        "/policies/simulator?scheme=first_version&version=9",
        "/policies/simulator/figures.csv?scheme=first_version&version=9",
        "/policies/simulator/compare?s=scheme%3Dx",
    ):
        assert client.get(address).status_code == 404, address
    assert "还没有方案" in client.get("/policies/simulator/compare").text
