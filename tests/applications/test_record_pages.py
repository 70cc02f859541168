"""What one takes away: who may, that the record replays, and that the 申报书 says everything."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader

from catalogue.applications import pdf
from catalogue.applications.models import Application
from catalogue.documents import fonts, paper
from catalogue.money import money_text, money_words
from catalogue.policies import replay
from catalogue.policies.operations import document_of
from tests import builders

NAMES = ("record.json", "findings.json", "application.pdf")


def squeezed(text: str) -> str:
    """Without white space: line breaks are the layout's, not the writer's."""
    return "".join(text.split())


def text_of(data: bytes) -> tuple[str, int]:
    """All words of a PDF, and its pages."""
    reader = PdfReader(BytesIO(data))
    return squeezed("".join(page.extract_text() for page in reader.pages)), len(reader.pages)


@pytest.fixture
def application(session: Any) -> Application:
    """A checked claim."""
    application = builders.submitted("first_version")
    session.commit()
    return session.get(Application, application.id)


@pytest.mark.parametrize("name", NAMES)
def test_firm_and_staff_take_it_and_nobody_else(
    app: Flask, application: Application, session: Any, name: str
) -> None:
    address = f"/applications/{application.number}/{name}"
    people = [builders.clerk_of(application.enterprise), builders.user("reviewer")]
    strangers = [builders.clerk_of(builders.enterprise()), builders.user("buyer")]
    session.commit()
    assert app.test_client().get(address).status_code in (302, 303, 401)
    for person in people + strangers:
        client = app.test_client()
        builders.sign_in(client, person)
        seen = client.get(address).status_code
        assert seen == 200 if person in people else seen in (403, 404), person.email


def test_before_a_check_there_is_no_record_but_a_paper(client: FlaskClient, session: Any) -> None:
    draft = builders.draft("first_version")
    session.commit()
    builders.sign_in(client, builders.clerk_of(draft.enterprise))
    for name in NAMES[:2]:
        assert client.get(f"/applications/{draft.number}/{name}").status_code == 404
    words, _ = text_of(client.get(f"/applications/{draft.number}/application.pdf").data)
    assert "还没有提交" in words


def test_the_downloaded_record_replays_and_the_findings_agree(
    client: FlaskClient, application: Application
) -> None:
    builders.sign_in(client, builders.clerk_of(application.enterprise))
    record = client.get(f"/applications/{application.number}/record.json")
    assert "attachment" in record.headers["Content-Disposition"]
    judged = replay.judge(record.data, replay.Policies([replay.SEEDS]))
    assert judged.code == replay.SAME, judged.lines
    found = client.get(f"/applications/{application.number}/findings.json").get_json()
    parts = json.loads(record.data)
    assert found["findings"] == parts["record"]["findings"]
    assert found["worksheet"] == parts["record"]["worksheet"]
    assert found["record_sha256"] == parts["sha256"]
    assert "facts" not in found


def test_the_paper_holds_facts_findings_and_worksheet_and_is_the_same_twice(
    client: FlaskClient, application: Application
) -> None:
    builders.sign_in(client, builders.clerk_of(application.enterprise))
    address = f"/applications/{application.number}/application.pdf"
    first = client.get(address).data
    assert client.get(address).data == first
    words, pages = text_of(first)
    report = application.report
    assert report is not None
    assert report.amount_fen is not None
    wanted = [
        application.receipt_number,
        application.enterprise.name,
        application.product.summary,
        *(contract.buyer_name for contract in application.contracts),
        *(f"SHA-256 {e.document.sha256[:16]}" for e in application.evidence),
        *(part for f in report.findings for part in (f["title"], f["read"], f["article"])),
        *(line["label"] for line in report.worksheet),
        money_text(report.amount_fen),
        money_words(report.amount_fen),
        "示范参数",
        f"第 {pages} 页，共 {pages} 页",
    ]
    missing = [part for part in wanted if squeezed(part) not in words]
    assert not missing


def test_long_hostile_and_rare_words_flow_over_pages_and_none_is_lost(
    application: Application, app: Flask
) -> None:
    answers = {"process": "<b>&amp;{{7*7}}</b>𠮷" * 900 + "\n末行", "novelty": "字" * 3_000}
    document = document_of(application.policy)
    ids = [answer.id for answer in document.answers if answer.type == "textarea"][:2]
    application.answers = {
        **application.answers,
        **dict(zip(ids, answers.values(), strict=False)),
    }
    papers = pdf.papers_of(application, document, None, {}, specimen=True)
    data = paper.draw(papers, fonts.prepare(Path(app.config["FONTS_DIR"])))
    words, pages = text_of(data)
    assert pages > 4
    assert "𠮷" in words or "〔U+20BB7〕" in words
    for answer in list(answers.values())[: len(ids)]:
        assert words.count("{{7*7}}") in (0, 900)
        assert squeezed(answer[-2:]) in words
    assert words.count(f"共{pages}页") == pages
