"""Publishing a notice, taking and deciding objections, closing what has run out quietly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from catalogue.accounts.models import User
from catalogue.applications.models import Application, StateChange
from catalogue.applications.operations import advance, next_number
from catalogue.audit.log import append
from catalogue.audit.operations import record
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.notices import rules
from catalogue.notices.models import Notice, NoticeItem, Objection
from catalogue.policies.operations import document_of
from catalogue.working_days import UnknownYear

SERIES = "示范公示"


@dataclass(frozen=True)
class Filing:
    """What a person brings against an item; ``ground`` is a key of rules.GROUNDS."""

    ground: str
    argument: str
    remedy: str
    contact: str | None = None


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
        sha256=notice.sha256,
        applications=[a.number for a in applications],
    )
    append("notice", notice.number, notice.sha256)
    return notice


def _draft(applications: Sequence[Application], now: datetime) -> Notice:
    opened = applications[0].round
    document = document_of(opened.policy)
    quantity = document.notice_working_days
    try:
        span = rules.period(now, quantity.value, SHANGHAI)
    except UnknownYear as error:
        raise Refused(f"{error}，公示截止日无法推算，请待放假安排公布后再公示") from error
    year = now.astimezone(SHANGHAI).year
    notice = Notice(
        number=f"{SERIES}〔{year}〕{next_number(SERIES, year)} 号",
        title=rules.title_of(opened.title, document.scheme, document.scheme_name),
        round_id=opened.id,
        published_at=now,
        opens_at=now,
        closes_at=span.closes_at,
        working_days=quantity.value,
        placeholder=quantity.placeholder,
        counted=span.counted,
        items=[_item(place, a) for place, a in enumerate(applications, start=1)],
    )
    notice.content = _content(notice, applications)
    notice.sha256 = rules.digest(notice.content)
    return notice


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


def _content(notice: Notice, applications: Sequence[Application]) -> dict[str, Any]:
    return {
        "number": notice.number,
        "title": notice.title,
        "opens_at": notice.opens_at.astimezone(SHANGHAI).isoformat(),
        "closes_at": notice.closes_at.astimezone(SHANGHAI).isoformat(),
        "working_days": notice.working_days,
        "placeholder": notice.placeholder,
        "counted": notice.counted,
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


def file_objection(item: NoticeItem, filing: Filing, now: datetime | None = None) -> Objection:
    """Take an objection against one item while its notice runs; only that item then waits.

    Raises Refused when the period is over or the item has been decided.
    """
    now = now or utc_now()
    locked = _lock_item(item.id)
    if locked.outcome is not None or not locked.notice.takes_objections(now):
        raise Refused("公示期已经结束，不能再提异议")
    objection = Objection(
        item_id=locked.id,
        application_id=locked.application_id,
        receipt_code=rules.new_receipt_code(),
        ground=filing.ground,
        argument=filing.argument,
        remedy=filing.remedy,
        contact=filing.contact or None,
        filed_at=now,
    )
    db.session.add(objection)
    db.session.flush()
    record("objection.file", objection, None, ground=filing.ground, item=locked.id)
    db.session.refresh(locked.application)
    if locked.application.state == "on_notice":
        advance(locked.application, "object", None)
    return objection


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
