"""From a concluded application to a checkable certificate, on the real database."""

from __future__ import annotations

import re
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from catalogue.certificates import operations
from catalogue.certificates.models import Certificate
from catalogue.certificates.verify import signature_fault
from catalogue.certificates.wording import canonical, last_day
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.models import Document
from catalogue.documents.operations import open_document
from catalogue.jobs import live_subjects
from tests import builders


def today() -> Any:
    return utc_now().astimezone(SHANGHAI).date()


def registered(**options: Any) -> Certificate:
    """A certificate whose file is not drawn yet."""
    application = builders.draft("catalogue", **options)
    certificate = operations.register(application, today(), last_day(today(), 2))
    db.session.commit()
    return certificate


@pytest.fixture
def issued(session: Any) -> Certificate:
    certificate = registered()
    operations.draw(certificate.id)
    db.session.commit()
    return certificate


def data_of(certificate: Certificate) -> bytes:
    assert certificate.document is not None
    with open_document(certificate.document) as file:
        return file.read()


def test_a_concluded_application_is_certified(session: Any) -> None:
    application = builders.concluded("catalogue")
    certificate = operations.of_application(application.id)
    assert certificate is not None
    assert certificate.state == "issued"
    assert certificate.valid_until == last_day(certificate.valid_from, 2)
    assert signature_fault(data_of(certificate), [operations.signatory().root]) is None


def test_registering_writes_ahead(session: Any) -> None:
    certificate = registered()
    assert certificate.number == f"SHCP-{today().year}-0001"
    assert certificate.wording_sha256 == sha256(canonical(certificate.wording)).hexdigest()
    assert certificate.standing(today()).id == "registered"
    assert live_subjects(operations.DRAW) == [certificate.id]
    assert operations.without_file() == []


def test_registering_twice_is_once(session: Any) -> None:
    certificate = registered()
    again = operations.register(certificate.application, today(), today())
    assert again.id == certificate.id
    assert db.session.scalar(select(func.count(Certificate.id))) == 1


def test_numbers_have_no_gap_after_a_failed_registration(session: Any) -> None:
    first = registered().number
    lost = builders.draft("catalogue")
    db.session.commit()
    operations.register(lost, today(), today())
    db.session.rollback()
    second = registered().number
    assert [first[-4:], second[-4:]] == ["0001", "0002"]


def test_the_file_says_what_was_registered(issued: Certificate) -> None:
    data = data_of(issued)
    assert sha256(data).hexdigest() == issued.file_sha256
    page = re.sub(r"\s", "", PdfReader(BytesIO(data)).pages[0].extract_text())
    for word in (issued.words.product, issued.words.enterprise, issued.check_code, issued.number):
        assert re.sub(r"\s", "", word) in page


def test_drawing_twice_changes_nothing(issued: Certificate) -> None:
    before = (issued.file_sha256, issued.issued_at, issued.document_id)
    operations.draw(issued.id)
    db.session.commit()
    assert (issued.file_sha256, issued.issued_at, issued.document_id) == before
    files = select(func.count(Document.id)).where(Document.filename == f"{issued.number}.pdf")
    assert db.session.scalar(files) == 1


def test_a_crash_before_the_commit_leaves_the_number_and_no_file(session: Any) -> None:
    certificate = registered()
    operations.draw(certificate.id)
    db.session.rollback()
    assert certificate.state == "registered"
    operations.draw(certificate.id)
    db.session.commit()
    assert certificate.state == "issued"
    assert operations.check_file(data_of(certificate)).kind == "unchanged"


@pytest.mark.parametrize(
    "change",
    [
        {"number": "SHCP-2026-9999"},
        {"wording_sha256": "0" * 64},
        {"file_sha256": "0" * 64},
        {"wording": {"number": "SHCP-2026-0001", "product": "别的"}},
        {"issued_at": None},
        {"state": "registered"},
        {"state": "revoked"},
    ],
)
def test_the_database_keeps_what_was_said(issued: Certificate, change: dict[str, Any]) -> None:
    with pytest.raises(DBAPIError):
        db.session.execute(update(Certificate).where(Certificate.id == issued.id).values(**change))
    db.session.rollback()


def test_the_database_deletes_no_certificate(issued: Certificate) -> None:
    with pytest.raises(DBAPIError):
        db.session.execute(text("DELETE FROM certificate"))
    db.session.rollback()


def test_anyone_checks_by_number(client: FlaskClient, issued: Certificate) -> None:
    found = client.get(f"/certificates?number={issued.words.formal_number}")
    assert found.status_code == 303
    page = client.get(found.headers["Location"])
    assert page.status_code == 200
    assert "有效" in page.text
    assert issued.check_code in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_the_qr_link_leads_to_a_valid_page_with_the_file(
    client: FlaskClient, issued: Certificate
) -> None:
    link = "/certificates" + issued.words.check_url.split("/certificates", 1)[1]
    page = client.get(link)
    assert page.status_code == 200
    assert "不一致" not in page.text
    file = client.get(f"/certificates/{issued.number}/pdf?t={issued.token}")
    assert file.status_code == 200
    assert sha256(file.data).hexdigest() == issued.file_sha256


def test_a_number_alone_gives_no_file(client: FlaskClient, issued: Certificate) -> None:
    assert client.get(f"/certificates/{issued.number}/pdf").status_code == 404
    assert client.get(f"/certificates/{issued.number}/pdf?t=wrong").status_code == 404
    assert issued.token not in client.get(f"/certificates/{issued.number}").text


def test_a_wrong_mark_is_warned_about(client: FlaskClient, issued: Certificate) -> None:
    page = client.get(f"/certificates/{issued.number}?t=guess")
    assert "和登记的不一致" in page.text


def test_the_firm_downloads_its_file(client: FlaskClient, issued: Certificate) -> None:
    builders.sign_in(client, builders.clerk_of(issued.application.enterprise))
    assert client.get(f"/certificates/{issued.number}/pdf").status_code == 200


def test_another_firm_does_not(client: FlaskClient, issued: Certificate) -> None:
    stranger = builders.clerk_of(builders.enterprise())
    db.session.commit()
    builders.sign_in(client, stranger)
    assert client.get(f"/certificates/{issued.number}/pdf").status_code == 404


def test_status_is_told_for_any_day(client: FlaskClient, issued: Certificate) -> None:
    address = f"/certificates/{issued.number}?on="
    assert "尚未生效" in client.get(address + "2001-01-01").text
    assert "已到期" in client.get(address + "2099-01-01").text
    assert client.get(address + "yesterday").status_code == 422


@pytest.mark.parametrize("number", ["SHCP-2026-9999", "SHCP-x", "<b>"])
def test_an_unknown_number_is_not_found_in_words(client: FlaskClient, number: str) -> None:
    page = client.get(f"/certificates/{number}")
    assert page.status_code == 404
    assert "没有编号为" in page.text
    assert "<b>" not in page.text


def test_a_mistyped_number_is_explained(client: FlaskClient) -> None:
    page = client.get("/certificates?number=147")
    assert page.status_code == 422
    assert "编号的样子不对" in page.text


@pytest.mark.parametrize(
    ("touch", "verdict"),
    [
        (lambda data: data, "一字不差"),
        (lambda data: data + b"\n", "已改动"),
        (lambda data: b"%PDF-1.7 something else", "不认识"),
    ],
)
def test_a_file_is_checked_against_the_register(
    client: FlaskClient, issued: Certificate, touch: Any, verdict: str
) -> None:
    page = builders.post(
        client,
        "/certificates/file",
        {"file": (BytesIO(touch(data_of(issued))), "证书.pdf")},
        form_at="/certificates",
        content_type="multipart/form-data",
    )
    assert page.status_code == 200
    assert verdict in page.text


def test_no_file_is_asked_for_again(client: FlaskClient) -> None:
    page = builders.post(client, "/certificates/file", {}, form_at="/certificates")
    assert page.status_code == 422
    assert "请选择要核验的" in page.text
