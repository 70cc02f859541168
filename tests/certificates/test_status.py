"""The status of a certificate: two people, a dated history, its effects, its place in the log."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import current_app
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from catalogue import jobs
from catalogue.applications.models import Application
from catalogue.applications.operations import advance
from catalogue.audit import log
from catalogue.audit.operations import trail
from catalogue.certificates import operations, status_files
from catalogue.certificates.models import Certificate, CertificateStatus
from catalogue.certificates.wording import canonical
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.operations import open_document
from catalogue.errors import Refused
from catalogue.listings.operations import listing_of
from catalogue.notices import operations as notices
from seeds import stories
from tests import builders
from workers.tasks import HANDLERS


def today() -> date:
    return utc_now().astimezone(SHANGHAI).date()


@pytest.fixture
def application(session: Any) -> Application:
    """A listed product with a certificate."""
    made = builders.concluded("catalogue")
    db.session.commit()
    return made


def of(application: Application) -> Certificate:
    certificate = operations.of_application(application.id)
    assert certificate is not None
    return certificate


def asked(certificate: Certificate, status: str = "suspended") -> CertificateStatus:
    change = operations.ask_change(certificate, status, "核查中", builders.user("reviewer"))
    db.session.commit()
    return change


def test_one_person_changes_nothing_and_two_change_it_at_once(
    application: Application, client: FlaskClient
) -> None:
    certificate = of(application)
    change = asked(certificate)
    address = f"/certificates/{certificate.number}"
    assert certificate.standing(today()).valid
    assert "核查中" not in client.get(address).text
    operations.answer_change(change, builders.user("approver"), confirmed=True)
    db.session.commit()
    page = client.get(address)
    assert "已暂停" in page.text and "核查中" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert [event.action for event in trail(certificate)][-2:] == [
        "certificate.ask_change",
        "certificate.confirm_change",
    ]
    stories.change_certificate(
        application, "valid", (builders.user("reviewer"), builders.user("approver")), "核查无误"
    )
    db.session.commit()
    assert certificate.standing(today()).valid
    assert certificate.standing(today() - timedelta(days=1)).id == "early"


def test_who_may_ask_and_confirm(application: Application) -> None:
    certificate = of(application)
    for role in ("finance", "applicant"):
        with pytest.raises(Refused, match="权限"):
            operations.ask_change(certificate, "suspended", "核查", builders.user(role))
    approver = builders.user("approver")
    change = operations.ask_change(certificate, "suspended", "核查", approver)
    db.session.commit()
    with pytest.raises(Refused, match="另一人"):
        operations.answer_change(change, approver, confirmed=True)
    with pytest.raises(Refused, match="权限"):
        operations.answer_change(change, builders.user("reviewer"), confirmed=True)
    with pytest.raises(Refused, match="先办完"):
        operations.ask_change(certificate, "revoked", "核查", builders.user("reviewer"))
    with pytest.raises(Refused, match="写明理由"):
        operations.answer_change(change, builders.user("approver"), confirmed=False)
    operations.answer_change(change, builders.user("approver"), "没有依据", confirmed=False)
    assert certificate.standing(today()).valid
    with pytest.raises(Refused, match="答复过"):
        operations.answer_change(change, builders.user("approver"), confirmed=True)
    with pytest.raises(Refused, match="理由"):
        operations.ask_change(certificate, "suspended", "  ", approver)


def _written(sentence: str) -> None:
    """Some promises are held at the end of the transaction."""
    db.session.execute(text(sentence))
    db.session.commit()


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        (
            """INSERT INTO certificate_status (certificate_id, status, reason, asked_by_id,
               asked_at, answered_by_id, answered_at, confirmed)
               SELECT certificate_id, 'revoked', 'x', asked_by_id, now(), asked_by_id + 1, now(),
               true FROM certificate_status""",
            "first asked",
        ),
        (
            """UPDATE certificate_status SET answered_by_id = asked_by_id, answered_at = now(),
               confirmed = true WHERE answered_at IS NULL""",
            "second_person",
        ),
        (
            """UPDATE certificate_status SET answered_by_id = (SELECT max(id) FROM account),
               answered_at = asked_at - interval '1 day', confirmed = true
               WHERE answered_at IS NULL""",
            "order|before the last",
        ),
        (
            """UPDATE certificate_status SET status = 'suspended', answered_at = now(),
               answered_by_id = (SELECT max(id) FROM account), confirmed = true
               WHERE answered_at IS NULL""",
            "frozen|does not follow",
        ),
        ("UPDATE certificate_status SET reason = 'x' WHERE confirmed", "once and for all|frozen"),
        ("UPDATE certificate_status SET answer = 'x' WHERE confirmed", "once and for all"),
        ("DELETE FROM certificate_status", "never deleted"),
        (
            """UPDATE application SET state = 'revoked', last_action = 'revoke',
               version = version + 1""",
            "without its",
        ),
    ],
)
def test_the_database_keeps_the_history(application: Application, sentence: str, says: str) -> None:
    builders.change_certificate(application, "suspended")
    asked(of(application), "valid")
    with pytest.raises(DBAPIError, match=says):
        _written(sentence)
    db.session.rollback()


def test_an_application_is_revoked_by_way_of_its_certificate(application: Application) -> None:
    approver = builders.user("approver")
    with pytest.raises(Refused, match="两人"):
        advance(application, "revoke", approver, "一人说了算")
    db.session.rollback()
    builders.change_certificate(application, "revoked")
    db.session.commit()
    listing = listing_of(application.id)
    assert application.state == "revoked"
    assert listing is not None and listing.status == "removed"
    assert of(application).standing(today()).id == "revoked"
    with pytest.raises(Refused, match="不能恢复"):
        operations.ask_change(of(application), "valid", "反悔", approver)


def test_a_suspended_product_leaves_the_catalogue_until_it_is_valid_again(
    application: Application, client: FlaskClient
) -> None:
    listing = listing_of(application.id)
    assert listing is not None
    for status, stands in (("suspended", "suspended"), ("valid", "listed")):
        builders.change_certificate(application, status)
        db.session.commit()
        db.session.refresh(listing)
        assert listing.status == stands
        page = client.get(f"/catalogue/{listing.number}")
        assert ("证书已暂停" in page.text) == (status == "suspended")


def test_every_change_is_in_the_public_log_and_anybody_can_recompute_it(
    application: Application, client: FlaskClient
) -> None:
    certificate = of(application)
    builders.change_certificate(application, "suspended")
    db.session.commit()
    (entry,) = client.get(f"/certificates/{certificate.number}/status.json").get_json()["changes"]
    told = entry.pop("sha256")
    assert sha256(canonical(entry)).hexdigest() == told
    assert [e.kind for e in log.find(told)] == ["certificate_status"]
    assert log.find(certificate.number)[0].sha256 == told


def test_a_new_name_gives_a_new_certificate_that_points_both_ways(
    application: Application, client: FlaskClient
) -> None:
    old = of(application)
    listing = listing_of(application.id)
    words = _names(old)
    with pytest.raises(Refused, match="没有可换发的"):
        operations.ask_change(old, "replaced", "更名", builders.user("reviewer"), words)
    words["enterprise"] = "更名后（上海）𠮷田装备有限公司"
    builders.change_certificate(application, "replaced", words)
    db.session.commit()
    stories.run_jobs()
    new = of(application)
    assert (new.replaces_id, new.state, new.words.replaces) == (old.id, "issued", old.number)
    assert new.words.enterprise == words["enterprise"]
    assert (new.valid_from, new.valid_until) == (today(), old.valid_until)
    assert old.standing(today()).id == "replaced" and new.standing(today()).valid
    assert new.number in client.get(f"/certificates/{old.number}").text
    assert old.number in client.get(f"/certificates/{new.number}").text
    assert listing is not None
    db.session.refresh(listing)
    assert (listing.firm_name, listing.number) == (words["enterprise"], old.number)
    with pytest.raises(DBAPIError):
        _written("UPDATE certificate SET replaces_id = NULL")
    db.session.rollback()


def test_a_certificate_revoked_before_it_was_drawn_is_never_drawn(session: Any) -> None:
    application = builders.on_notice("catalogue", days_ago=20)
    notices.close_due(utc_now())
    db.session.commit()
    for _, job in jobs.due():
        jobs.perform(job, HANDLERS)
    assert of(application).standing(today()).id == "registered"
    with pytest.raises(Refused, match="正在签发"):
        asked(of(application), "suspended")
    db.session.rollback()
    builders.change_certificate(application, "revoked")
    db.session.commit()
    stories.run_jobs()
    assert of(application).document_id is None
    assert operations.without_file() == []


def test_staff_ask_and_another_answers_on_the_pages(
    application: Application, client: FlaskClient
) -> None:
    number = of(application).number
    reviewer, approver = builders.user("reviewer"), builders.user("approver")
    db.session.commit()
    builders.sign_in(client, reviewer)
    ask = f"/certificates/{number}/change"
    refused = builders.post(client, ask, {"status": "suspended", "reason": "  "})
    assert refused.status_code == 422 and "请写明理由" in refused.text
    assert builders.post(client, ask, {"status": "replaced", "reason": "x"}).status_code == 422
    assert (
        builders.post(client, ask, {"status": "suspended", "reason": "<b>核查</b>"}).status_code
        == 303
    )
    change = operations.waiting_changes()[0]
    address = f"/certificates/changes/{change.id}"
    assert "这是您自己提的" in client.get(address).text
    assert "&lt;b&gt;核查" in client.get("/certificates/changes").text
    client = current_app.test_client()
    builders.sign_in(client, approver)
    assert "等您确认" in client.get("/home").text
    assert builders.post(client, address, {"act": "refuse", "answer": ""}).status_code == 422
    assert builders.post(client, address, {"act": "confirm", "answer": ""}).status_code == 303
    db.session.expire_all()
    assert of(application).standing(today()).id == "suspended"
    replace = client.get(f"/certificates/{number}/replace")
    assert replace.status_code == 409


def test_the_list_of_changes_asks_as_often_for_two_as_for_one(application: Application) -> None:
    def counted() -> int:
        asked_for: list[str] = []

        def listen(*given: Any) -> None:
            asked_for.append(given[2])

        db.session.expire_all()
        event.listen(db.engine, "before_cursor_execute", listen)
        for change in operations.waiting_changes():
            assert change.certificate.number and change.asked_by.name
        event.remove(db.engine, "before_cursor_execute", listen)
        return len(asked_for)

    asked(of(application))
    one = counted()
    asked(of(builders.concluded("catalogue")))
    assert len(operations.waiting_changes()) == 2
    assert counted() == one


def test_a_signed_answer_for_a_day_is_known_when_it_comes_back(
    application: Application, client: FlaskClient
) -> None:
    certificate = of(application)
    builders.change_certificate(application, "suspended")
    db.session.commit()
    address = f"/certificates/{certificate.number}/answer.pdf"
    data = client.get(f"{address}?on={today()}").data
    answer = operations.check_file(data)
    assert (answer.kind, answer.fault, answer.entry) == ("answer", None, certificate)
    assert answer.claimed["status"] == "suspended" and answer.claimed["on"] == today().isoformat()
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages)
    assert "已暂停" in text and "示例：材料不实" in text and certificate.words.product in text
    assert operations.check_file(data + b" ").kind == "unknown"
    assert client.get(f"{address}?on=yesterday").status_code == 422
    assert client.get("/certificates/SHCP-2026-9999/answer.pdf").status_code == 404


def test_a_new_key_under_a_new_root_leaves_old_papers_checkable(
    application: Application, client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, before = of(application), operations.signatory()
    monkeypatch.setitem(current_app.config, "KEYS_DIR", tmp_path / "keys")
    after = operations.signatory()
    assert after.fingerprint != before.fingerprint
    builders.change_certificate(
        application, "replaced", {**_names(first), "enterprise": "更名后有限公司"}
    )
    db.session.commit()
    stories.run_jobs()
    status_files.make(today(), after)
    db.session.commit()
    for certificate in (first, of(application)):
        assert certificate.document is not None
        with open_document(certificate.document) as file:
            data = file.read()
        answer = operations.check_file(data)
        assert (answer.kind, answer.fault) == ("unchanged", None)
        (tmp_path / f"{certificate.number}.pdf").write_bytes(data)
        assert _openssl(data, tmp_path, (after if certificate is not first else before).root_pem)
    assert [signer.fingerprint for signer in operations.signers()] == [
        after.fingerprint,
        before.fingerprint,
    ]
    assert before.fingerprint[:16] in client.get("/verifier").text
    for name in ("verifier.py", "root.pem", "status.json"):
        page = client.get(f"/verifier/{name}", follow_redirects=True)
        (tmp_path / name).write_bytes(page.data)
    said = subprocess.run(
        [sys.executable, "verifier.py", "--root", "root.pem", "--status", "status.json",
         f"{first.number}.pdf", f"{of(application).number}.pdf"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip
    assert f"{first.number} 是平台发出的原件" in said and "已换发" in said
    assert f"✓ {of(application).number}.pdf" in said


def _names(certificate: Certificate) -> dict[str, str]:
    return {name: getattr(certificate.words, name) or "" for name in operations.rules.NAMES}


def _openssl(data: bytes, folder: Path, root: str) -> bool:
    """Whether another program than ours finds the signature good."""
    found = re.search(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)", data)
    assert found
    start, first, second, last = map(int, found.groups())
    (folder / "content").write_bytes(data[start:first] + data[second : second + last])
    (folder / "signature").write_bytes(bytes.fromhex(data[first + 1 : second - 1].decode()))
    (folder / "trusted.pem").write_text(root)
    command = (
        "openssl cms -verify -inform DER -in signature -content content -binary"
        " -CAfile trusted.pem -purpose any -out verified"
    )
    return (
        subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode
        == 0
    )
