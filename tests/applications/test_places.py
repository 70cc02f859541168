"""From a fact to the page that holds it."""

from __future__ import annotations

from typing import Any

import pytest

from catalogue.applications.places import linked, place_of


@pytest.mark.parametrize(
    ("path", "endpoint", "anchor"),
    [
        ("enterprise.size", "enterprises.edit", "field-size"),
        ("enterprise.honours", "enterprises.honours", ""),
        ("product.first_sold_on", "products.edit", "field-first_sold_on"),
        ("patents[1].granted_on", "products.edit", "patents"),
        ("contracts[2].received", "applications.contracts", "field-rows-1-received"),
        ("contracts[2].buyer", "applications.contracts", "field-rows-1-buyer_name"),
        ("contracts[2].buyer_related", "enterprises.related", ""),
        ("contracts", "applications.contracts", ""),
        ("contracts[].received", "applications.contracts", ""),
        ("answers.premium", "applications.answers", "field-premium"),
        ("declarations.own", "applications.answers", "field-own"),
        ("materials", "applications.materials", ""),
    ],
)
def test_a_fact_leads_to_its_field(path: str, endpoint: str, anchor: str) -> None:
    place = place_of(path)
    assert place is not None
    assert (place.endpoint, place.anchor) == (endpoint, anchor)


@pytest.mark.parametrize(
    "path",
    [
        "enterprise.credit_clear",
        "patents[1].other_products",
        "history.awards",
        "history.awards[3].amount",
        "listing.number",
        "round.closes_on",
        "application.submitted_on",
        "",
    ],
)
def test_what_no_form_of_the_firm_holds_leads_nowhere(path: str) -> None:
    assert place_of(path) is None


def _finding(result: str, *facts: tuple[str, str], asks: bool = True) -> dict[str, Any]:
    read = [{"path": path, "label": path, "value": value} for path, value in facts]
    return {"result": result, "unknown_asks": asks, "facts": read}


def _address(place: Any) -> str:
    return f"/{place.endpoint}#{place.anchor}"


def test_an_unknown_finding_asks_for_the_first_missing_fact_that_the_firm_can_give() -> None:
    facts = (
        ("enterprise.district", "浦东"),
        ("history.awards", "未填"),
        ("contracts[1].received", "未填"),
    )
    shown = linked(_finding("unknown", *facts), _address)
    assert shown["fix_url"] == "/applications.contracts#field-rows-0-received"
    assert shown["fix_label"].startswith("补填")
    assert [fact["url"] is None for fact in shown["facts"]] == [False, True, False]
    assert "fix_url" not in linked(_finding("unknown", *facts, asks=False), _address)
    assert "fix_url" not in linked(_finding("unknown", ("history.awards", "未填")), _address)


def test_a_failed_finding_leads_to_what_it_read_and_a_passed_one_to_nothing() -> None:
    fact = ("enterprise.founded_on", "2025-01-01")
    assert linked(_finding("fail", fact), _address)["fix_url"] == (
        "/enterprises.edit#field-founded_on"
    )
    assert "fix_url" not in linked(_finding("pass", fact), _address)
