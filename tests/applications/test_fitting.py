"""What fits a firm in a fixed number of queries, and self-check answers carried into a draft."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from catalogue.applications import fitting
from catalogue.applications.models import Application
from catalogue.database import db, utc_now
from catalogue.policies import carrying
from tests import builders


def _queries(firm_id: int) -> tuple[int, list[fitting.RoundFits]]:
    counted: list[str] = []

    def count(*args: Any) -> None:
        counted.append(args[2])

    db.session.expire_all()
    event.listen(db.engine, "before_cursor_execute", count)
    try:
        found = fitting.fits_of(fitting.firm_of(firm_id), utc_now())
        for item in found:
            assert item.opened.policy.version
            for fit in item.fits:
                assert fit.product.name
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
    return len(counted), found


def test_each_round_says_fits_missing_or_why_not_in_a_fixed_number_of_queries(
    session: Any,
) -> None:
    firm = builders.enterprise()
    builders.opened("first_version")
    builders.product(firm, "software")
    session.commit()
    before, found = _queries(firm.id)
    assert [fit.standing for fit in found[0].fits] == ["fits"]
    assert found[0].fits[0].ahead > 0
    for kind in ("software", "software", "equipment", "material"):
        builders.product(firm, kind)
    firm.district = "330100"
    session.commit()
    after, found = _queries(firm.id)
    assert after == before
    assert found[0].other_kind == 2
    assert {fit.standing for fit in found[0].fits} == {"unfit"}
    assert found[0].fits[0].reasons[0].startswith("本市企业：")
    firm.district = None
    session.commit()
    _, found = _queries(firm.id)
    assert {fit.standing for fit in found[0].fits} == {"missing"}
    assert found[0].fits[0].of_firm == ("所在区",)


def test_the_page_shows_it_to_the_firm(client: FlaskClient, session: Any) -> None:
    firm = builders.enterprise()
    builders.opened("first_version")
    builders.product(firm, "software")
    session.commit()
    builders.sign_in(client, builders.clerk_of(firm))
    page = client.get("/fits")
    assert page.status_code == 200
    assert "资料符合，可以报" in page.text


ANSWERS = [
    ("contracts-0-amount", "400000.00"),
    ("contracts-0-invoiced_on", "2026-06-02"),
    ("contracts-0-signed_on", "2026-06-01"),
    ("declarations_credit_good", "yes"),
    ("declarations_same_version", "no"),
    ("enterprise_district", "000000"),
]


def test_answers_fill_a_draft_after_they_were_shown_and_never_the_profile(
    app: Flask, client: FlaskClient, session: Any
) -> None:
    firm = builders.enterprise()
    opened = builders.opened("first_version")
    product = builders.product(firm, "software")
    session.commit()
    token = carrying.sealed("first_version", ANSWERS)
    assert token is not None
    address = f"/applications/carry?answers={token}"
    stranger = client.get(address)
    assert stranger.status_code == 303
    assert "carry" in stranger.headers["Location"]
    builders.sign_in(client, builders.clerk_of(firm))
    page = client.get(address)
    assert page.status_code == 200
    assert "会填进申报的" in page.text
    assert "本市以外" in page.text
    assert session.scalar(select(Application.id)) is None
    data = {"answers": token, "target": f"{opened.id}-{product.id}"}
    filled = builders.post(client, "/applications/carry", data, form_at=address)
    assert filled.status_code == 303, filled.text
    session.rollback()
    application = session.scalars(select(Application)).one()
    assert application.answers["credit_good"] is True
    assert application.answers["same_version"] is False
    assert application.typed["contracts"]["1"]["amount"] == "400000.00"
    assert application.enterprise.district == "310115"
    contracts = client.get(f"/applications/{application.number}/contracts")
    assert "400000.00" in contracts.text
    again = client.post("/applications/carry", data={"answers": token})
    assert again.status_code == 400
    assert client.get("/applications/carry?answers=nothing").status_code == 422
    assert client.get("/applications/carry?answers=" + "x" * 9_000).status_code == 422


def test_a_token_says_nothing_to_who_reads_the_log_and_ends(
    app: Flask, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = carrying.sealed("first_version", ANSWERS)
    assert token is not None
    assert "400000" not in token
    assert carrying.opened(token) == ("first_version", ANSWERS)
    with pytest.raises(carrying.NotCarried):
        carrying.opened(token[:-4] + "AAAA")
    monkeypatch.setattr(carrying, "LASTS_SECONDS", -1)
    with pytest.raises(carrying.NotCarried):
        carrying.opened(token)
