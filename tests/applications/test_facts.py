"""The facts of a check: what a firm's past says, in a constant number of queries."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import event, text

from catalogue.applications import facts
from catalogue.applications.facts import facts_of
from catalogue.applications.models import Application
from catalogue.database import db
from catalogue.enterprises import operations as enterprises
from catalogue.policies.facts import as_day, cleaned
from catalogue.policies.operations import document_of
from tests import builders


def _queries(key: int) -> tuple[dict[str, Any], int]:
    """The facts as a worker assembles them, from an empty session, and how often it asked."""
    db.session.commit()
    db.session.expunge_all()
    fresh = db.session.get_one(Application, key)
    asked: list[str] = []

    def listener(*call: Any) -> None:
        asked.append(call[2])

    event.listen(db.engine, "before_cursor_execute", listener)
    try:
        return facts_of(fresh), len(asked)
    finally:
        event.remove(db.engine, "before_cursor_execute", listener)


def test_every_assembled_fact_is_in_the_schema(session: Any) -> None:
    application = builders.draft()
    _, problems = cleaned(facts_of(application), document_of(application.policy).schema)
    assert problems == ()


def test_an_earlier_award_is_told_with_its_contracts_and_amount(session: Any) -> None:
    firm = builders.enterprise()
    past = builders.on_notice(firm=firm)
    now = builders.draft(firm=firm)
    history = facts_of(now)["history"]
    award = history["awards"][0]
    assert (award["scheme"], award["year"]) == ("first_version", past.round.year)
    assert (award["amount"], award["state"]) == (185_300_00, "approved")
    assert award["same_product"] is False
    assert [c["number"] for c in history["contracts"]] == [c.number for c in past.contracts]
    assert history["pending"] == []
    # Its own support is not its past.
    assert facts_of(past)["history"]["awards"] == []


def test_a_revoked_award_stays_in_the_past_and_counts_nothing(session: Any) -> None:
    firm = builders.enterprise()
    past = builders.concluded("first_version", firm=firm)
    assert facts_of(builders.draft(firm=firm))["history"]["awards"][0]["state"] == "concluded"
    builders.change_certificate(past, "revoked")
    history = facts_of(builders.draft(firm=firm))["history"]
    assert [(a["state"], a["amount"]) for a in history["awards"]] == [("revoked", 0)]
    assert history["contracts"] == []


def test_an_application_under_way_is_pending_and_no_award(session: Any) -> None:
    firm = builders.enterprise()
    builders.submitted(firm=firm)
    history = facts_of(builders.draft(firm=firm))["history"]
    assert history["pending"] == [{"scheme": "first_version", "same_product": False}]
    assert history["awards"] == history["contracts"] == []


def test_the_same_sale_of_another_firm_is_told_and_a_like_number_is_not(session: Any) -> None:
    past = builders.on_notice()
    now = builders.draft()
    now.contracts[0].number = past.contracts[0].number
    now.contracts[0].buyer_name = past.contracts[0].buyer_name
    now.contracts[1].number = past.contracts[1].number
    now.contracts[1].buyer_name = "另一家买方有限公司"
    session.flush()
    assert [c["number"] for c in facts_of(now)["history"]["contracts"]] == [
        past.contracts[0].number
    ]


def test_a_right_that_served_another_product_is_counted(session: Any) -> None:
    past = builders.on_notice()
    now = builders.draft()
    now.product.patents[0].number = past.product.patents[0].number
    session.flush()
    assert facts_of(now)["patents"][0]["other_products"] == 1
    assert facts_of(past)["patents"][0]["other_products"] == 0


def test_a_buyer_of_the_related_parties_is_related(session: Any) -> None:
    application = builders.draft()
    clerk = builders.clerk_of(application.enterprise)
    buyer = application.contracts[1]
    assert buyer.buyer_credit_code is not None
    enterprises.add_related_party(
        application.enterprise, clerk, buyer.buyer_credit_code, buyer.buyer_name, "sister"
    )
    related = [contract["buyer_related"] for contract in facts_of(application)["contracts"]]
    assert related == [False, True, False]


def test_a_ban_that_stands_is_told_and_a_lifted_one_is_not(session: Any) -> None:
    application = builders.draft()
    administrator = builders.user("administrator")
    ban = enterprises.exclude(
        application.enterprise,
        administrator,
        since=date(2026, 1, 1),
        until=date(2028, 12, 31),
        ground="fraud",
        source="示例决定书 1 号",
    )
    told = [{"since": as_day(ban.since), "until": as_day(ban.until), "ground": "fraud"}]
    assert facts_of(application)["history"]["exclusions"] == told
    enterprises.lift_exclusion(ban, administrator, "复议撤销了决定")
    assert facts_of(application)["history"]["exclusions"] == []


def test_a_listed_product_knows_its_entry(session: Any) -> None:
    listed = builders.concluded("catalogue")
    facts = facts_of(listed)["listing"]
    assert facts["number"].startswith("SHCP-") and facts["first_market"] is True
    assert facts["valid_until"] > facts["listed_on"]
    listed.product.first_sold_on = date(2001, 1, 1)
    assert facts_of(listed)["listing"]["first_market"] is False


def test_a_longer_past_asks_no_more_and_a_cut_off_one_is_unknown(
    session: Any, monkeypatch: Any
) -> None:
    firm = builders.enterprise()
    builders.on_notice(firm=firm)
    now = builders.draft(firm=firm).id
    few, asked_few = _queries(now)
    _copy_the_past(300)
    many, asked_many = _queries(now)
    assert len(few["history"]["awards"]) == 1 and len(many["history"]["awards"]) == 301
    assert asked_many == asked_few <= 16
    monkeypatch.setattr(facts, "MAX_ITEMS", 300)
    cut, _ = _queries(now)
    assert "awards" not in cut["history"] and "contracts" not in cut["history"]
    assert cut["history"]["pending"] == []


def _copy_the_past(times: int) -> None:
    """Repeat the one approved claim with its contracts and award, past the guards of a test."""
    moved = {"application_id": "application_id + n * 1000", "id": "id + n * 1000"}
    number = {"number": "'SB-2020-' || (1000 + n)"}
    connection = db.session.connection()
    connection.execute(text("SET session_replication_role = replica"))
    for table, changes, which in (
        (
            "application",
            {
                "id": "id + n * 1000",
                "product_id": "id + n * 1000",
                "receipt_number": "'HZ-2020-' || n",
                **number,
            },
            "state = 'on_notice'",
        ),
        (
            "contract",
            moved,
            "application_id IN (SELECT id FROM application WHERE state = 'on_notice')",
        ),
        ("award", {**moved, **number}, "true"),
    ):
        columns = [column.name for column in db.metadata.tables[table].columns]
        source = [changes.get(column, column) for column in columns]
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {', '.join(source)} FROM {table}, generate_series(1, {times}) AS n"
                f" WHERE {which} AND {table}.id < 1000"
            )
        )
    connection.execute(text("SET session_replication_role = origin"))
    db.session.commit()
