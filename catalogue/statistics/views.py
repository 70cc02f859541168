"""The front page: search, four doors, what is open, what is on notice, the day's figures."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask_login import current_user
from sqlalchemy import func, select

from catalogue.accounts.access import public
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.notices.models import Notice, NoticeItem
from catalogue.policies.models import Round
from catalogue.policies.operations import document_of
from catalogue.statistics import open_data_views, operations
from catalogue.working_days import UnknownYear, working_days_between

bp = Blueprint("statistics", __name__)
bp.register_blueprint(open_data_views.bp)

SHOWN = 5
WEEKDAYS = "一二三四五六日"


@bp.get("/")
@public
def front() -> Any:
    now = utc_now()
    local = now.astimezone(SHANGHAI)
    rounds = db.session.scalars(
        select(Round).where(Round.closes_at >= now).order_by(Round.closes_at, Round.id).limit(8)
    ).all()
    notices = db.session.execute(
        select(Notice, func.count(NoticeItem.id))
        .join(NoticeItem)
        .group_by(Notice.id)
        .order_by(Notice.closes_at.desc(), Notice.id.desc())
        .limit(SHOWN)
    ).all()
    return render_template(
        "statistics/front.html",
        today=operations.today(now),
        weekday=WEEKDAYS[local.weekday()],
        local=local,
        rounds=[
            (opened, document_of(opened.policy).summary, _deadline(opened, now))
            for opened in rounds
        ],
        notices=[(notice, count, _left(now, notice.closes_at)) for notice, count in notices],
        now=now,
        may_apply=not current_user.is_authenticated
        or current_user.has_role("applicant", "signatory"),
    )


def _left(now: Any, until: Any) -> int:
    start, end = now.astimezone(SHANGHAI).date(), until.astimezone(SHANGHAI).date()
    try:
        return max(0, working_days_between(start, end))
    except UnknownYear:
        return max(0, (end - start).days)


def _deadline(opened: Round, now: Any) -> dict[str, Any] | None:
    if opened.opens_at > now:
        return None
    seconds = int((opened.closes_at - now).total_seconds())
    closes = opened.closes_at.astimezone(SHANGHAI)
    days = (closes.date() - now.astimezone(SHANGHAI).date()).days
    today = not days
    return {
        "left": _left(now, opened.closes_at),
        "closes_at": closes,
        "closes_label": "" if today else f"{days} 天",
        "today": today,
        "closed": False,
        "note": f"还有 {seconds // 3600} 小时 {seconds % 3600 // 60} 分" if today else "",
    }
