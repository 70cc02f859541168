"""Publishing and correcting notices, taking and deciding objections, closing what ran out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import select, text

from catalogue import keys
from catalogue.accounts.models import User
from catalogue.applications.models import Application, StateChange
from catalogue.applications.operations import advance, next_number
from catalogue.audit.log import append
from catalogue.audit.operations import record
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.operations import Arrived, confine
from catalogue.errors import Refused
from catalogue.notices import rules, wording
from catalogue.notices.models import (
    Notice,
    NoticeCorrection,
    NoticeItem,
    NoticeVersion,
    Objection,
    ObjectionFile,
)
from catalogue.policies.document import PolicyDocument
from catalogue.policies.operations import document_of
from catalogue.working_days import UnknownYear

SERIES = "示范公示"
OBJECTIONS = "示范异议"


@dataclass(frozen=True)
class Filing:
    """What a person brings against an item; ``ground`` is a key of rules.GROUNDS.

    ``sent_key`` is made with the form (rules.new_sent_key), so that it counts once.
    """

    ground: str
    argument: str
    remedy: str
    contact: str | None = None
    sent_key: str | None = None


def publish(
    applications: Sequence[Application], actor: User, now: datetime | None = None
) -> Notice:
    """Put approved applications of one round on one notice, frozen and hashed.

    Raises Refused when they are not of one round, not on notice, or the closing day lies in a
    year whose holidays are not published.
    """
    if not applications:
        raise Refused("请至少选一件", status=422)
    first = applications[0]
    if any(a.round_id != first.round_id for a in applications):
        raise Refused("一份公示只放同一批次的申报，请分批办理")
    if any(a.state != "on_notice" for a in applications):
        raise Refused("只有审定通过的申报才能公示")
    notice = _draft(applications, now or utc_now())
    db.session.add(notice)
    db.session.flush()
    record(
        "notice.publish",
        notice,
        actor,
        number=notice.number,
        sha256=notice.newest.sha256,
        applications=[a.number for a in applications],
    )
    append("notice", notice.number, notice.newest.sha256)
    return notice


def _draft(applications: Sequence[Application], now: datetime) -> Notice:
    opened = applications[0].round
    document = document_of(opened.policy)
    span = _period(now, document.notice_working_days.value)
    year = now.astimezone(SHANGHAI).year
    notice = Notice(
        number=f"{SERIES}〔{year}〕{next_number(SERIES, year)} 号",
        title=rules.title_of(opened.title, document.scheme, document.scheme_name),
        round_id=opened.id,
        published_at=now,
        opens_at=now,
        closes_at=span.closes_at,
        version=1,
        items=[_item(place, a) for place, a in enumerate(applications, start=1)],
    )
    content = _content(notice, applications, document, span.counted)
    notice.versions = [_version(content, 1, now)]
    return notice


def _period(now: datetime, working_days: int) -> rules.Period:
    try:
        return rules.period(now, working_days, SHANGHAI)
    except UnknownYear as error:
        raise Refused(f"{error}，公示截止日无法推算，请待放假安排公布后再公示") from error


def _item(position: int, application: Application) -> NoticeItem:
    report = application.report
    return NoticeItem(
        application_id=application.id,
        position=position,
        name=application.product.name,
        model=application.product.model,
        firm=application.enterprise.name,
        amount_fen=report.amount_fen if report and application.scheme != "catalogue" else None,
    )


def _content(
    notice: Notice,
    applications: Sequence[Application],
    document: PolicyDocument,
    counted: list[dict[str, Any]],
) -> dict[str, Any]:
    days = document.notice_working_days
    return {
        "number": notice.number,
        "version": 1,
        "title": notice.title,
        "scheme": document.scheme,
        "scheme_name": document.scheme_name,
        "policy": document.version,
        "text": wording.TEXT,
        "contact": wording.CONTACT,
        "opens_at": notice.opens_at.astimezone(SHANGHAI).isoformat(),
        "closes_at": notice.closes_at.astimezone(SHANGHAI).isoformat(),
        "working_days": days.value,
        "placeholder": days.placeholder,
        "counted": counted,
        "items": [
            {
                "position": item.position,
                "application": application.number,
                "product": item.name,
                "model": item.model,
                "firm": item.firm,
                "amount_fen": item.amount_fen,
            }
            for item, application in zip(notice.items, applications, strict=True)
        ],
    }


def _version(content: dict[str, Any], number: int, now: datetime) -> NoticeVersion:
    data = rules.canonical(content)
    key = keys.of(current_app.config)
    return NoticeVersion(
        version=number,
        content=data.decode(),
        sha256=rules.digest(content),
        signature=key.sign(data),
        certificate=key.pem,
        published_at=now,
    )


def sign(version_id: int) -> None:
    """Sign a version from before signatures were kept; a signed one stays as it is."""
    version = db.session.get_one(NoticeVersion, version_id, with_for_update=True)
    if version.signature is None:
        key = keys.of(current_app.config)
        version.signature = key.sign(version.content.encode())
        version.certificate = key.pem
        record("notice.sign", version.notice, None, version=version.version)


# ------------------------------------------------------------------ corrections


def ask_correction(
    notice: Notice, actor: User, changes: dict[str, Any], reason: str
) -> NoticeCorrection:
    """Ask another person to publish ``changes`` (see wording.changes_of) as the next version.

    Raises Refused when nothing changes, the notice has ended, an item has been decided, or another
    correction waits.
    """
    locked = _lock_notice(notice.id)
    _require_correctable(locked, changes)
    waiting = db.session.scalar(
        select(NoticeCorrection.id).where(
            NoticeCorrection.notice_id == locked.id, NoticeCorrection.state == "waiting"
        )
    )
    if waiting is not None:
        raise Refused("这份公示已有一处更正等人确认，请先办完那一处")
    correction = NoticeCorrection(
        notice_id=locked.id,
        base=locked.version,
        changes=changes,
        reason=_required(reason, "reason", "请写明更正的理由，理由会写进公示"),
        asked_by_id=actor.id,
    )
    db.session.add(correction)
    db.session.flush()
    record("notice.correction.ask", locked, actor, correction=correction.id, base=correction.base)
    return correction


def _lock_notice(notice_id: int) -> Notice:
    statement = (
        select(Notice)
        .where(Notice.id == notice_id)
        .with_for_update(of=Notice)
        .execution_options(populate_existing=True)
    )
    return db.session.scalars(statement).one()


def _require_correctable(notice: Notice, changes: dict[str, Any]) -> None:
    if notice.closed_at is not None:
        raise Refused("公示已经结束，内容不再更正")
    if not changes:
        raise Refused("没有改动任何一处，请改了再提交", status=422)
    ended = [
        item.position
        for item in notice.items
        if item.outcome is not None and str(item.position) in changes.get("items", {})
    ]
    if ended:
        listed = "、".join(str(position) for position in ended)
        raise Refused(f"第 {listed} 件已经办结，不能再更正")


def _required(text: str, field: str, problem: str) -> str:
    text = text.strip()
    if not text:
        raise Refused(problem, field=field, status=422)
    return text


def why_not_confirm(correction: NoticeCorrection, actor: User) -> str | None:
    """Why this person may not publish this correction, in words; None when they may."""
    if correction.state != "waiting":
        return "这处更正已经办理"
    if not actor.has_role("approver"):
        return "更正由审定人确认"
    if correction.asked_by_id == actor.id:
        return "这是您自己提的，须由另一人确认"
    return None


def confirm_correction(
    correction: NoticeCorrection, actor: User, now: datetime | None = None
) -> NoticeVersion:
    """Publish the next version; its days begin anew when the policy says so.

    Applications stay where they are, and so do objections. Raises Refused for the person who
    asked, for one who is no approver, and when the notice has ended meanwhile.
    """
    now = now or utc_now()
    notice = _lock_notice(correction.notice_id)
    items = _lock_waiting([notice.id])
    db.session.refresh(correction)
    if problem := why_not_confirm(correction, actor):
        raise Refused(problem)
    _require_correctable(notice, correction.changes)
    last = notice.newest
    content = corrected_content(correction, last, now)
    version = _version(content, last.version + 1, now)
    version.correction_id = correction.id
    correction.state, correction.decided_by_id, correction.decided_at = "confirmed", actor.id, now
    db.session.flush()
    notice.versions.append(version)
    notice.version = version.version
    notice.title = content["title"]
    notice.opens_at = datetime.fromisoformat(content["opens_at"])
    notice.closes_at = datetime.fromisoformat(content["closes_at"])
    told = {item["position"]: item for item in content["items"]}
    for item in items:
        words = told[item.position]
        item.name, item.model, item.firm = words["product"], words["model"], words["firm"]
    db.session.flush()
    record(
        "notice.correct",
        notice,
        actor,
        version=version.version,
        sha256=version.sha256,
        correction=correction.id,
        reason=correction.reason,
        closes_at=content["closes_at"],
    )
    append("notice", notice.number, version.sha256)
    return version


def corrected_content(
    correction: NoticeCorrection, last: NoticeVersion, now: datetime
) -> dict[str, Any]:
    """What the next version says when the correction is confirmed at ``now``."""
    document = document_of(correction.notice.round.policy)
    span = None
    if document.notice_restarts.value:
        span = _period(now, last.body["working_days"])
    return wording.corrected(
        last.body,
        correction.changes,
        reason=correction.reason,
        sha256=last.sha256,
        opens_at=now.astimezone(SHANGHAI).isoformat(),
        span=span,
    )


def decline_correction(correction: NoticeCorrection, actor: User, answer: str) -> None:
    """End a correction unpublished: refused by another, or taken back by who asked."""
    _lock_notice(correction.notice_id)
    db.session.refresh(correction)
    if correction.state != "waiting":
        raise Refused("这处更正已经办理")
    if actor.id != correction.asked_by_id and not actor.has_role("approver"):
        raise Refused("更正由审定人确认", status=403)
    correction.answer = _required(answer, "answer", "请写明理由")
    correction.state, correction.decided_by_id = "declined", actor.id
    correction.decided_at = utc_now()
    record("notice.correction.decline", correction.notice, actor, correction=correction.id)


# ------------------------------------------------------------------ objections


def file_objection(
    item: NoticeItem,
    filing: Filing,
    files: Sequence[Arrived] = (),
    uploader: User | None = None,
    now: datetime | None = None,
) -> Objection:
    """Take an objection against one item while its notice runs; only that item then waits.

    A form that was sent before gives the objection that it made then. Raises Refused when the
    period is over or the item has been decided.
    """
    now = now or utc_now()
    if filing.sent_key:
        _take_turns(filing.sent_key)
    locked = _lock_item(item.id)
    if filing.sent_key and (known := _sent_before(filing.sent_key)):
        return known
    if locked.outcome is not None or not locked.notice.takes_objections(now):
        raise Refused("公示期已经结束，不能再提异议")
    year = now.astimezone(SHANGHAI).year
    objection = Objection(
        item_id=locked.id,
        application_id=locked.application_id,
        number=f"{OBJECTIONS}〔{year}〕{next_number(OBJECTIONS, year)} 号",
        receipt_code=rules.new_receipt_code(),
        sent_key=filing.sent_key,
        ground=filing.ground,
        argument=filing.argument,
        remedy=filing.remedy,
        contact=filing.contact or None,
        filed_at=now,
    )
    db.session.add(objection)
    db.session.flush()
    record("objection.file", objection, None, ground=filing.ground, item=locked.id)
    for position, arrived in enumerate(files, start=1):
        document = confine(arrived, "approver", uploader)
        objection.files.append(ObjectionFile(position=position, document=document))
    db.session.flush()
    db.session.refresh(locked.application)
    if locked.application.state == "on_notice":
        advance(locked.application, "object", None)
    return objection


def _take_turns(sent_key: str) -> None:
    """One form at a time, even when it is sent twice at once about two items."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
    db.session.execute(lock, {"key": f"objection {sent_key}"})


def _sent_before(sent_key: str) -> Objection | None:
    return db.session.scalar(select(Objection).where(Objection.sent_key == sent_key))


def _lock_item(item_id: int) -> NoticeItem:
    """The item, its row locked: filing, deciding and closing of one item take turns."""
    statement = (
        select(NoticeItem)
        .where(NoticeItem.id == item_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return db.session.scalars(statement).one()


def why_not_decide(objection: Objection, actor: User) -> str | None:
    """Why this person may not decide this objection, in words; None when they may."""
    if objection.state != "open":
        return "这件异议已经处理"
    if not actor.has_role("approver"):
        return "异议由审定人处理"
    checked = db.session.scalar(
        select(StateChange.id)
        .where(
            StateChange.application_id == objection.application_id,
            StateChange.action == "pass_formal",
            StateChange.actor_id == actor.id,
        )
        .limit(1)
    )
    if checked is not None:
        return "您做过这件申报的形式审查，不能处理对它的异议，请由另一位审定人处理"
    return None


def dismiss(objection: Objection, actor: User, reason: str, now: datetime | None = None) -> None:
    """Find the objection unfounded; the item goes on when nothing else is open against it.

    Raises Refused for a person who checked the application, or without a reason.
    """
    application = _decide(objection, actor, "dismissed", reason, now)
    if not _open_objections(objection.item_id):
        advance(application, "dismiss_objection", actor, reason)


def uphold(objection: Objection, actor: User, reason: str, now: datetime | None = None) -> None:
    """Find the objection right: the application is rejected, and no other item is touched.

    Other open objections against the same item are answered by the same decision.
    """
    application = _decide(objection, actor, "upheld", reason, now)
    for other in _open_objections(objection.item_id):
        _decide(other, actor, "upheld", reason, now)
    item = objection.item
    item.outcome, item.ended_at = "struck", objection.decided_at
    advance(application, "uphold_objection", actor, reason)


def _decide(
    objection: Objection, actor: User, state: str, reason: str, now: datetime | None
) -> Application:
    reason = reason.strip()
    if not reason:
        raise Refused("请写明理由，理由会在公示页公布", field="reason", status=422)
    _lock_item(objection.item_id)
    db.session.refresh(objection)
    if problem := why_not_decide(objection, actor):
        raise Refused(problem)
    objection.state = state
    objection.decided_by_id = actor.id
    objection.decided_at = now or utc_now()
    objection.decision_reason = reason
    record("objection.decide", objection, actor, outcome=state, reason=reason)
    return objection.application


def _open_objections(item_id: int) -> list[Objection]:
    db.session.flush()
    return list(
        db.session.scalars(
            select(Objection)
            .where(Objection.item_id == item_id, Objection.state == "open")
            .order_by(Objection.id)
        )
    )


def close_due(now: datetime | None = None) -> int:
    """Clear every item whose period has run out with no open objection; return how many.

    An open objection holds only its own item. Running twice changes nothing.
    """
    now = now or utc_now()
    due = db.session.scalars(
        select(Notice)
        .where(Notice.closed_at.is_(None), Notice.closes_at <= now)
        .order_by(Notice.id)
        .with_for_update(of=Notice)
    ).all()
    # All rows are locked before the first event is recorded: the audit chain's lock is held
    # from then on, and whoever files an objection takes the item first and the chain second.
    waiting = _lock_waiting([notice.id for notice in due])
    held = _items_with_open_objections([item.id for item in waiting])
    quiet = [item for item in waiting if item.id not in held]
    for item in quiet:
        advance(item.application, "clear", None)
        item.outcome, item.ended_at = "cleared", now
    db.session.flush()
    still_waiting = {item.notice_id for item in waiting if item.id in held}
    for notice in due:
        if notice.id not in still_waiting:
            notice.closed_at = now
            record("notice.close", notice, None, number=notice.number)
    return len(quiet)


def _lock_waiting(notice_ids: list[int]) -> list[NoticeItem]:
    return list(
        db.session.scalars(
            select(NoticeItem)
            .where(NoticeItem.notice_id.in_(notice_ids), NoticeItem.outcome.is_(None))
            .order_by(NoticeItem.id)
            .with_for_update(of=NoticeItem)
            .execution_options(populate_existing=True)
        )
    )


def _items_with_open_objections(item_ids: list[int]) -> set[int]:
    return set(
        db.session.scalars(
            select(Objection.item_id).where(
                Objection.item_id.in_(item_ids), Objection.state == "open"
            )
        )
    )
