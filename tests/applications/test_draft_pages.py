"""Drafts through the browser's eyes: what is typed is never lost and never overwrites unseen."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from catalogue.applications import forms, operations
from catalogue.applications.facts import facts_of
from catalogue.policies.document import Answer, Column
from catalogue.policies.operations import document_of
from tests import builders


def _open(app: Flask, session: Any, scheme: str = "first_version") -> tuple[FlaskClient, Any]:
    """A clerk's browser and a complete draft."""
    application = builders.draft(scheme)
    session.commit()
    client = app.test_client()
    builders.sign_in(client, builders.clerk_of(application.enterprise))
    return client, application


def _fields(client: FlaskClient, address: str) -> dict[str, str]:
    """The fields of the page's form as a browser would send them back."""
    page = client.get(address).text
    found = dict(re.findall(r'name="([\w-]+)"[^>]*? value="([^"]*)"', page))
    areas = re.findall(r"<textarea[^>]*name=\"([\w-]+)\"[^>]*>\s*([^<]*)</textarea>", page)
    choices = re.findall(r'<input checked[^>]*name="(\w+)"[^>]*value="(\w+)"', page)
    return {**found, **dict(areas), **dict(choices)}


def test_one_faulty_row_keeps_no_other_from_being_saved(app: Flask, session: Any) -> None:
    client, application = _open(app, session)
    address = f"/applications/{application.number}/contracts"
    sent = _fields(client, address)
    sent |= {
        "rows-0-amount": "190000.00",
        "rows-1-amount": "三十万",
        "rows-1-signed_on": "2026-13-40",
    }
    answer = client.post(address, data=sent)
    assert answer.status_code == 422
    session.expire_all()
    assert [c.position for c in application.contracts] == [1, 3]
    assert application.contracts[0].amount_fen == 190_000_00
    reopened = client.get(address).text
    assert 'value="三十万"' in reopened and 'value="2026-13-40"' in reopened
    assert "请填金额" in reopened and "请填日期" in reopened
    assert any("合同 2" in item["label"] for item in operations.missing_items(application))
    sent = _fields(client, address)
    sent |= {"rows-1-amount": "300000", "rows-1-signed_on": "2026-09-01"}
    assert client.post(address, data=sent).status_code == 303
    session.expire_all()
    assert [c.position for c in application.contracts] == [1, 2, 3]
    assert application.typed["contracts"] == {}


def test_a_repeated_number_is_told_at_its_row_and_kept(app: Flask, session: Any) -> None:
    client, application = _open(app, session)
    address = f"/applications/{application.number}/contracts"
    sent = _fields(client, address)
    answer = client.post(address, data={**sent, "rows-2-number": sent["rows-0-number"]})
    assert answer.status_code == 422 and "合同编号重复了" in answer.text
    session.expire_all()
    assert len(application.contracts) == 2
    assert application.typed["contracts"]["3"]["number"] == sent["rows-0-number"]


def test_a_too_long_answer_is_kept_letter_by_letter_and_counts_as_missing(
    app: Flask, session: Any
) -> None:
    client, application = _open(app, session)
    address = f"/applications/{application.number}/answers"
    sent = _fields(client, address)
    long = "<b>长</b>" * 900
    answer = client.post(address, data={**sent, "innovation": long, "comparison": "见第 9 页"})
    assert answer.status_code == 422
    session.expire_all()
    assert application.answers["comparison"] == "见第 9 页"
    assert application.typed["answers"] == {"innovation": long}
    reopened = client.get(address).text
    assert "&lt;b&gt;长" in reopened and "<b>长" not in reopened and "最多" in reopened
    assert "innovation" not in facts_of(application)["answers"]
    assert any("新在哪里" in item["label"] for item in operations.missing_items(application))


def test_a_quiet_save_tells_the_time_and_what_the_page_now_shows(app: Flask, session: Any) -> None:
    client, application = _open(app, session)
    address = f"/applications/{application.number}/answers"
    sent = {**_fields(client, address), "comparison": "见第 9 页", "autosave": "1"}
    answer = client.post(address, data=sent)
    assert answer.status_code == 200
    assert re.search(r"已保存 \d\d:\d\d", answer.text) and "<html" not in answer.text
    again = re.search(r'name="seen"[^>]*value="([^"]+)"', answer.text)
    assert again is not None
    sent |= {"comparison": "见第 10 页", "seen": again.group(1)}
    assert "已保存" in client.post(address, data=sent).text
    session.expire_all()
    assert application.answers["comparison"] == "见第 10 页"


def test_a_stale_tab_shows_both_values_and_overwrites_only_knowingly(
    app: Flask, session: Any
) -> None:
    client, application = _open(app, session)
    address = f"/applications/{application.number}/answers"
    old = _fields(client, address)
    first = {**old, "comparison": "甲改的", "innovation": "甲写的新处"}
    assert client.post(address, data=first).status_code == 303
    second = {**old, "comparison": "乙改的"}
    told = client.post(address, data=second)
    assert told.status_code == 409 and "甲改的" in told.text and "乙改的" in told.text
    quiet = client.post(address, data={**second, "autosave": "1"})
    assert "没有自动保存" in quiet.text
    session.expire_all()
    assert application.answers["comparison"] == "甲改的"
    carried = re.search(r'name="seen"[^>]*value="([^"]+)"', told.text)
    assert carried is not None
    assert client.post(address, data={**second, "seen": carried.group(1)}).status_code == 303
    session.expire_all()
    # What only the other tab changed is not undone by the old text of this one.
    assert application.answers["comparison"] == "乙改的"
    assert application.answers["innovation"] == "甲写的新处"


def test_a_stale_tab_of_contracts_is_told_too(app: Flask, session: Any) -> None:
    client, application = _open(app, session)
    address = f"/applications/{application.number}/contracts"
    old = _fields(client, address)
    assert client.post(address, data={**old, "rows-0-amount": "111111.00"}).status_code == 303
    told = client.post(address, data={**old, "rows-0-amount": "222222.00"})
    assert told.status_code == 409 and "111,111.00" in told.text and "222222.00" in told.text
    assert client.post(address, data={**old, "rows-1-amount": "333333.00"}).status_code == 303
    session.expire_all()
    assert [c.amount_fen for c in application.contracts][:2] == [111_111_00, 333_333_00]
    # This policy's form does not ask for a quantity: what is known of it stays.
    assert [c.quantity for c in application.contracts] == [1, 1, 1]


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("count", "12", 12),
        ("count", "1.5", None),
        ("rate", "12.5", {"millionths": 125_000}),
        ("rate", "12.5 %", {"millionths": 125_000}),
        ("rate", "100.01", None),
        ("rate", "0.0001", {"millionths": 1}),
        ("choice", "b", "b"),
        ("choice", "z", None),
        ("money", "10.005", None),
        ("boolean", "no", False),
    ],
)
def test_every_kind_of_answer_is_read_to_the_letter(
    app: Flask, kind: str, typed: str, kept: Any
) -> None:
    # "data" is a word that forms use themselves.
    answer = Answer("data", "问", "", kind, 100, False, "", {"a": "甲", "b": "乙"})
    document: Any = SimpleNamespace(answers=(answer,))
    with app.test_request_context(method="POST", data={"data_": typed}):
        form = forms.answers_form(document, {}, {}, None)
        form.validate()
        values, faulty = forms.read_answers(document, form)
    assert values == {"data": kept}
    assert bool(faulty) == (kept is None and kind != "choice")


def test_the_columns_that_a_policy_adds_are_asked_kept_and_read(app: Flask, session: Any) -> None:
    application = builders.draft()
    document = document_of(application.policy)
    assert document.contracts is not None
    added = (
        Column("batch", "批次", "count", True, ""),
        Column("delivered_on", "交付日期", "date", False, ""),
    )
    document = replace(
        document, contracts=replace(document.contracts, columns=added), text="quantity"
    )
    row = {
        "rows-0-number": "HT-1",
        "rows-0-buyer_name": "示例买方",
        "rows-0-signed_on": "2026-01-02",
        "rows-0-amount": "10.00",
        "rows-0-quantity": "3",
        "rows-0-delivered_on": "2026-02-03",
    }
    with app.test_request_context(method="POST", data=row):
        form = forms.contracts_form(document, {})
        form.validate()
        assert forms.read_contracts(form)[1] and "请填批次" in str(form.errors)
    with app.test_request_context(method="POST", data={**row, "rows-0-batch": "7"}):
        form = forms.contracts_form(document, {})
        form.validate()
        rows, faulty = forms.read_contracts(form)
    assert faulty == {}
    operations.save_contracts(application, rows, builders.clerk_of(application.enterprise))
    contract = application.contracts[0]
    assert contract.quantity == 3
    assert contract.details == {"batch": 7, "delivered_on": "2026-02-03"}
    with app.test_request_context():
        shown = forms.contracts_form(document, {1: {"kept": forms.row_data(document, contract)}})
        assert [str(f._value()) for f in shown.rows[0].form.extra] == ["3", "7", "2026-02-03"]
