"""The to-do list of a person, computed from the tables; done items vanish by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import url_for
from sqlalchemy import func, select

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.certificates.operations import waiting_changes
from catalogue.certificates.rules import ACTS
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import Membership, membership_of
from catalogue.notices.models import NoticeCorrection, Objection
from catalogue.working_days import UnknownYear, working_days_between

LIMIT = 50


@dataclass(frozen=True)
class Todo:
    """One thing that waits: what, why, until when (None: no date), and the verb."""

    title: str
    text: str
    verb: str
    url: str
    closes_at: datetime | None = None


def deadline(closes_at: datetime | None) -> dict[str, Any] | None:
    """A closing moment as the deadline macro reads it, counted in working days."""
    if closes_at is None:
        return None
    now = utc_now()
    local, today = closes_at.astimezone(SHANGHAI), now.astimezone(SHANGHAI).date()
    seconds = int((closes_at - now).total_seconds())
    return {
        "left": _working_days_left(today, local.date()),
        "closes_at": local,
        "today": local.date() == today and seconds > 0,
        "closed": seconds <= 0,
        "note": f"还有 {seconds // 3600} 小时 {seconds % 3600 // 60} 分"
        if local.date() == today and seconds > 0
        else "",
    }


def _working_days_left(today: date, until: date) -> int:
    try:
        return max(0, working_days_between(today, until))
    except UnknownYear:
        # Next year's calendar is published late in this one; calendar days then say no less.
        return max(0, (until - today).days)


def waiting_for(user: User) -> list[Todo]:
    """What waits for this person, most urgent first."""
    items: list[Todo] = []
    if user.has_role("applicant", "signatory"):
        items += _for_firm(user)
    if user.has_role("reviewer"):
        items += _queue(
            user, ("eligible", "needs_person", "formal_check", "expert_review"), "去审查"
        )
    if user.has_role("approver"):
        items += _queue(user, ("committee",), "去审定")
        items += _objections()
        items += _certificate_changes(user)
        items += _corrections(user)
    far = datetime.max.replace(tzinfo=SHANGHAI)
    return sorted(items, key=lambda todo: (todo.closes_at or far, todo.title))


def count_waiting(user: User) -> int:
    """How many things wait; the number beside 待办."""
    return len(waiting_for(user))


def _for_firm(user: User) -> Iterator[Todo]:
    membership = membership_of(user)
    if membership is None:
        yield Todo(
            "等同事同意您加入",
            "同意后就能看到本单位的申报。",
            "看进度",
            url_for("enterprises.profile"),
        )
        return
    rows = db.session.scalars(
        select(Application)
        .where(
            Application.enterprise_id == membership.enterprise_id,
            Application.state.in_(("draft", "signing", "correcting", "ineligible")),
        )
        .order_by(Application.state_since, Application.id)
        .limit(LIMIT)
    ).all()
    for application in rows:
        if todo := _firm_todo(application, user):
            yield todo
    requests = db.session.scalar(
        select(func.count()).where(
            Membership.enterprise_id == membership.enterprise_id, Membership.admitted_at.is_(None)
        )
    )
    if requests:
        yield Todo(
            f"{requests} 位同事申请加入",
            "同意后可代本单位办事。",
            "去处理",
            url_for("enterprises.members"),
        )


def _firm_todo(application: Application, user: User) -> Todo | None:
    name, number = application.product.name, application.number
    target = url_for("applications.task_list", number=number)
    closes = application.round.closes_at
    if application.state == "draft":
        saved = application.saved_at.astimezone(SHANGHAI).strftime("%m-%d %H:%M")
        return Todo("申报书还没有提交", f"{name}，上次保存 {saved}。", "接着填", target, closes)
    if application.state == "signing":
        if not user.has_role("signatory"):
            return None
        return Todo(
            "等您签章",
            f"{name}，经办人已填好。",
            "去签章",
            url_for("applications.check", number=number),
            closes,
        )
    if application.state == "correcting":
        correction = application.open_correction
        count = len(correction.items) if correction else 0
        due = correction.due_on if correction else None
        return Todo(
            f"补正 {count} 处",
            f"{name}。审查计时已停，补正后接着算。",
            "去补正",
            target,
            datetime(due.year, due.month, due.day, 17, tzinfo=SHANGHAI) if due else None,
        )
    return Todo("自动核验不符", f"{name}，看哪一条不符、怎样能过。", "看核验结果", target)


def _queue(user: User, states: tuple[str, ...], verb: str) -> Iterator[Todo]:
    rows = db.session.scalars(
        select(Application)
        .where(Application.state.in_(states))
        .order_by(Application.state_since, Application.id)
        .limit(LIMIT)
    ).all()
    for application in rows:
        endpoint = "reviews.decide" if verb == "去审定" else "reviews.formal_check"
        yield Todo(
            application.product.name,
            f"{application.number}　{application.enterprise.name}　{application.standing.inside}",
            verb,
            url_for(endpoint, number=application.number),
        )


def _certificate_changes(user: User) -> Iterator[Todo]:
    for change in waiting_changes(LIMIT):
        if change.asked_by_id != user.id:
            yield Todo(
                f"{ACTS[change.status]}证书，等您确认",
                f"{change.certificate.number}，{change.asked_by.name}提出。",
                "去确认",
                url_for("certificates.status.answer", change_id=change.id),
            )


def _objections() -> Iterator[Todo]:
    count = db.session.scalar(select(func.count()).where(Objection.state == "open"))
    if count:
        yield Todo(
            f"{count} 件异议待处理",
            "异议期间这一件不计入公示期满。",
            "去处理",
            url_for("notices.objections"),
        )


def _corrections(user: User) -> Iterator[Todo]:
    """Those that somebody else asked for."""
    count = db.session.scalar(
        select(func.count()).where(
            NoticeCorrection.state == "waiting", NoticeCorrection.asked_by_id != user.id
        )
    )
    if count:
        yield Todo(
            f"{count} 处公示更正待确认",
            "确认后发布新版，旧版和改动一直公开。",
            "去确认",
            url_for("notices.corrections.index"),
        )
