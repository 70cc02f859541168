"""Handing out files: as attachments, to their firm and to staff, and to nobody else."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pypdf
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from catalogue.documents.models import Document
from catalogue.documents.operations import store, store_generated
from catalogue.documents.owners import firm_of
from tests.enterprises import firms


def pdf() -> bytes:
    writer, out = pypdf.PdfWriter(), BytesIO()
    writer.add_blank_page(100, 100)
    writer.write(out)
    return out.getvalue()


def _stored(session: Any, filename: str = "检测报告.exe") -> tuple[Document, Any]:
    enterprise, user = firms.firm(1)
    document = store(BytesIO(pdf()), filename, user, enterprise.id)
    session.commit()
    return document, user


def test_the_owner_saves_it_under_its_name(client: FlaskClient, session: Any) -> None:
    document, user = _stored(session)
    firms.sign_in(client, user)
    answer = client.get(f"/documents/{document.id}")
    assert answer.status_code == 200
    assert answer.data == pdf()
    headers = answer.headers
    disposition = headers["Content-Disposition"]
    # RFC 6266: attachment, with the name in UTF-8; the ending is what the bytes are.
    assert disposition.startswith("attachment;")
    assert "filename*=UTF-8''%E6%A3%80%E6%B5%8B%E6%8A%A5%E5%91%8A.pdf" in disposition
    assert headers["Content-Type"] == "application/pdf"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["Cache-Control"] == "no-store"
    assert int(headers["Content-Length"]) == document.size


@pytest.mark.parametrize("name", ['a"b;c.pdf', "../../etc/passwd", "x\r\nSet-Cookie: a=b.pdf"])
def test_a_hostile_name_cannot_leave_its_header(
    client: FlaskClient, session: Any, name: str
) -> None:
    document, user = _stored(session, name)
    firms.sign_in(client, user)
    answer = client.get(f"/documents/{document.id}")
    assert answer.status_code == 200
    assert not any(cookie.startswith("a=b") for cookie in answer.headers.getlist("Set-Cookie"))
    assert "/" not in document.filename


@pytest.mark.parametrize("role", ["reviewer", "approver", "finance"])
def test_staff_who_decide_or_pay_may_read(client: FlaskClient, session: Any, role: str) -> None:
    document, _ = _stored(session)
    staff = firms.person("staff@demo.test", role)
    session.commit()
    firms.sign_in(client, staff)
    assert client.get(f"/documents/{document.id}").status_code == 200


def test_strangers_cannot_tell_a_foreign_file_from_none(client: FlaskClient, session: Any) -> None:
    document, _ = _stored(session)
    generated = store_generated(b"x", "内部.pdf", "application/pdf")
    _, stranger = firms.firm(2)
    firms.sign_in(client, stranger)
    answers = [
        client.get(f"/documents/{key}") for key in (document.id, generated.id, 999_999, 2**63)
    ]
    assert [a.status_code for a in answers] == [404] * 4
    assert len({a.headers["Content-Type"] for a in answers}) == 1
    assert "检测报告" not in answers[0].get_data(as_text=True)


@pytest.mark.parametrize("role", ["buyer", "administrator", "applicant"])
def test_people_without_a_firm_see_no_files(client: FlaskClient, session: Any, role: str) -> None:
    document, _ = _stored(session)
    person = firms.person("nobody@demo.test", role)
    session.commit()
    firms.sign_in(client, person)
    assert firm_of(person) is None
    assert client.get(f"/documents/{document.id}").status_code == 404


def test_one_must_sign_in_first(client: FlaskClient, session: Any) -> None:
    document, _ = _stored(session)
    answer = client.get(f"/documents/{document.id}")
    assert answer.status_code == 303
    assert "/sign-in" in answer.headers["Location"]


def test_a_lost_file_is_an_answer_in_words(client: FlaskClient, session: Any, app: Any) -> None:
    document, user = _stored(session)
    firms.sign_in(client, user)
    folder = app.config["STORAGE_DIR"]
    place = folder / document.sha256[:2] / document.sha256
    data = place.read_bytes()
    place.unlink()
    try:
        answer = client.get(f"/documents/{document.id}")
        assert answer.status_code == 503
        assert "文件暂时取不出来" in answer.get_data(as_text=True)
    finally:
        place.write_bytes(data)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"sha256": "abc"}, "ck_document_sha256"),
        ({"size": 0}, "ck_document_size"),
        ({"filename": ""}, "ck_document_filename"),
    ],
)
def test_document_promises(session: Any, changes: dict[str, Any], constraint: str) -> None:
    facts = {"sha256": "0" * 64, "filename": "a.pdf", "media_type": "x", "size": 1, **changes}
    session.add(Document(**facts))
    with pytest.raises(IntegrityError, match=constraint):
        session.flush()
    session.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM document",
        "UPDATE document SET sha256 = repeat('0', 64)",
        "UPDATE document SET enterprise_id = NULL",
    ],
)
def test_a_file_is_never_rewritten(session: Any, statement: str) -> None:
    _stored(session)
    with pytest.raises(DBAPIError, match=r"never deleted|frozen column"):
        session.execute(text(statement))
    session.rollback()
