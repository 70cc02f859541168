"""Versions of a notice: who may publish the next one, what it says, and what it moves."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from flask import current_app
from sqlalchemy import select

from catalogue import keys
from catalogue.audit.models import LogEntry
from catalogue.certificates import verifier
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.notices import comparison, operations, wording
from catalogue.notices.models import Notice, NoticeCorrection
from catalogue.policies.document import Ruling
from catalogue.working_days import add_working_days
from tests import builders
from tests.notices.test_operations import noticed, objected, refused_by_database, states

REASON = "型号漏了后缀。"


def asked(notice: Notice, person: Any = None, **words: Any) -> NoticeCorrection:
    """A correction that waits; by default of the first item's model."""
    wanted = words or {"items": {"1": {"model": "X-1（改）"}}}
    changes = wording.changes_of(notice.newest.body, wanted)
    person = person or builders.user("reviewer")
    correction = operations.ask_correction(notice, person, changes, REASON)
    db.session.commit()
    return correction


def corrected(notice: Notice, now: Any = None, **words: Any) -> Notice:
    """Asked and confirmed."""
    operations.confirm_correction(asked(notice, **words), builders.user("approver"), now)
    db.session.commit()
    return notice


def test_a_version_is_signed_once_and_enters_the_log_by_its_hash(session: Any) -> None:
    notice = corrected(noticed(2))
    root = x509.load_pem_x509_certificate(keys.of(current_app.config).root_pem.encode())
    logged = set(
        db.session.scalars(select(LogEntry.sha256).where(LogEntry.subject == notice.number))
    )
    assert logged == {version.sha256 for version in notice.versions}
    for version in notice.versions:
        data = wording.envelope(
            version.content, version.sha256, version.signature, version.certificate
        )
        assert "签名有效" in verifier.check_envelope(json.loads(data), "notice", [root])
        assert hashlib.sha256(version.content.encode()).hexdigest() == version.sha256


def test_a_correction_changes_what_it_names_and_says_what_it_corrects(session: Any) -> None:
    notice = noticed(2)
    before = notice.newest.body
    corrected(notice, title="新的题目", items={"1": {"model": "X-1（改）"}})
    after = notice.newest.body
    assert (notice.version, notice.title) == (2, "新的题目")
    assert after["corrects"] == notice.versions[0].sha256
    assert after["reason"] == REASON
    assert [item["model"] for item in after["items"]] == ["X-1（改）", before["items"][1]["model"]]
    assert notice.items[0].model == "X-1（改）"
    assert after["items"][0]["amount_fen"] == before["items"][0]["amount_fen"]


def test_the_days_begin_anew_and_nothing_else_moves(session: Any) -> None:
    notice = noticed(2, days_ago=3)
    objection = objected(notice)
    first = notice.closes_at
    now = notice.opens_at + timedelta(days=2)
    corrected(notice, now)
    last = notice.closes_at.astimezone(SHANGHAI)
    opened = now.astimezone(SHANGHAI).date()
    assert last.date() == add_working_days(opened, notice.newest.body["working_days"])
    assert notice.closes_at > first
    assert notice.newest.body["restarted"] is True
    assert states(notice) == ["objected", "on_notice"]
    assert objection.state == "open"
    assert operations.close_due(first + timedelta(minutes=1)) == 0
    assert operations.close_due(notice.closes_at) == 1


def test_the_days_stay_when_the_policy_says_so(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = noticed(days_ago=1)
    document = operations.document_of(notice.round.policy)
    kept = Ruling(value=False, placeholder=False)
    monkeypatch.setattr(
        operations, "document_of", lambda _: type("Kept", (), {"notice_restarts": kept})
    )
    assert document.notice_restarts == Ruling(value=True, placeholder=True)
    before = notice.closes_at
    corrected(notice)
    assert notice.closes_at == before
    assert notice.newest.body["restarted"] is False


def test_who_asks_does_not_confirm(session: Any) -> None:
    approver = builders.user("approver")
    correction = asked(noticed(), approver)
    with pytest.raises(Refused, match="另一人"):
        operations.confirm_correction(correction, approver)
    db.session.rollback()
    with pytest.raises(Refused, match="审定人"):
        operations.confirm_correction(correction, builders.user("reviewer"))
    db.session.rollback()
    refused_by_database(
        "UPDATE notice_correction SET state='confirmed', decided_by_id=asked_by_id,"
        " decided_at=now()"
    )


def test_the_database_takes_no_version_without_a_confirmed_correction(session: Any) -> None:
    notice = noticed()
    correction = asked(notice)
    copy = (
        "INSERT INTO notice_version (notice_id, version, content, sha256, published_at,"
        " correction_id) SELECT notice_id, {}, content, sha256, now(), {} FROM notice_version;"
        " UPDATE notice SET version = (SELECT max(version) FROM notice_version)"
    )
    for number, about in ((2, correction.id), (2, "NULL"), (3, correction.id)):
        refused_by_database(copy.format(number, about))
    corrected_id = corrected_other(notice, correction)
    refused_by_database("UPDATE notice_correction SET answer = 'x' WHERE id = :c", c=corrected_id)
    refused_by_database("UPDATE notice_correction SET changes = '{}'")
    refused_by_database("DELETE FROM notice_correction")


def corrected_other(notice: Notice, correction: NoticeCorrection) -> int:
    operations.confirm_correction(correction, builders.user("approver"))
    db.session.commit()
    return correction.id


def test_one_correction_waits_and_an_empty_one_never(session: Any) -> None:
    notice = noticed()
    with pytest.raises(Refused, match="没有改动"):
        asked(notice, title=notice.title)
    db.session.rollback()
    first = asked(notice)
    with pytest.raises(Refused, match="等人确认"):
        asked(notice, title="另一个题目")
    db.session.rollback()
    operations.decline_correction(first, builders.user("approver"), "原文没有错。")
    db.session.commit()
    assert notice.version == 1
    assert asked(notice, title="另一个题目").state == "waiting"


def test_what_has_ended_is_not_corrected(session: Any) -> None:
    notice = noticed(2, days_ago=20)
    objected(notice, 2)
    correction = asked(notice)
    operations.close_due(notice.closes_at)
    db.session.commit()
    with pytest.raises(Refused, match="第 1 件已经办结"):
        operations.confirm_correction(correction, builders.user("approver"))
    db.session.rollback()
    objection = notice.items[1].objections[0]
    operations.dismiss(objection, builders.user("approver"), "不成立")
    operations.close_due(utc_now())
    db.session.commit()
    with pytest.raises(Refused, match="公示已经结束"):
        operations.confirm_correction(correction, builders.user("approver"))


def test_a_version_from_before_signatures_is_signed_by_the_worker(session: Any) -> None:
    version = noticed().newest
    with db.engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("UPDATE notice_version SET signature=NULL, certificate=NULL")
    db.session.expire_all()
    operations.sign(version.id)
    db.session.commit()
    signature = version.signature
    assert keys.verify(version.content.encode(), signature, version.certificate)
    operations.sign(version.id)
    assert version.signature == signature


COPY = (
    "INSERT INTO notice_correction (notice_id, base, changes, reason, asked_by_id, asked_at, state)"
    " SELECT notice_id, base, changes, {}, asked_by_id, now(), state FROM notice_correction"
)
BROKEN = (
    "UPDATE notice_correction SET state='declined', decided_by_id=asked_by_id, decided_at=now()",
    "UPDATE notice_correction SET state='confirmed'",
    "UPDATE notice_correction SET decided_at=now()",
    COPY.format("reason"),
    COPY.format("' '"),
)


def test_the_database_keeps_corrections_whole(session: Any) -> None:
    asked(noticed())
    for statement in BROKEN:
        refused_by_database(statement)


def test_words_that_changed_are_marked_and_both_texts_are_whole() -> None:
    old = {
        "title": "题目",
        "opens_at": "2026-11-23T09:00:00+08:00",
        "closes_at": "2026-11-30T17:00:00+08:00",
        "working_days": 5,
        "items": [{"position": 1, "product": "示范刻蚀机", "model": "X-1", "firm": "甲公司"}],
    }
    changes = wording.changes_of(old, {"items": {"1": {"product": "示范清洗机", "firm": "甲公司"}}})
    assert changes == {"items": {"1": {"product": "示范清洗机"}}}
    new = wording.corrected(old, changes, reason="错字", sha256="0" * 64)
    (found,) = comparison.differences(old, new)
    assert found.label == "第 1 件　产品名称"
    assert "".join(text for text, _ in found.old) == "示范刻蚀机"
    assert "".join(text for text, _ in found.new) == "示范清洗机"
    assert ("示范", False) in found.old
    assert [text for text, only in found.new if only] == ["清洗机"]
    assert datetime.fromisoformat(new["closes_at"]).hour == 17
