"""Correcting a notice: one person asks with new words, another publishes them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import func, select

from catalogue.accounts.access import allow
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.notices import comparison, operations, wording
from catalogue.notices.forms import AnswerForm, correction_form, wanted_words
from catalogue.notices.models import Notice, NoticeCorrection
from catalogue.policies.operations import document_of

bp = Blueprint("corrections", __name__)

PER_PAGE = 20
ITEMS_PER_PAGE = 50
KEY = "<int(max=999999999999):{}>"
STATES = {"waiting": "等人确认", "confirmed": "已发布", "declined": "未发布"}
TAGS = {"waiting": "waiting", "confirmed": "official", "declined": "plain"}


def _page() -> int:
    page = request.args.get("page", 1, type=int)
    return page if 1 <= page <= 100_000 else abort(404)


@bp.get("/notices/corrections")
@allow("reviewer", "approver")
def index() -> Any:
    """Corrections, those that wait first."""
    page = _page()
    total = db.session.scalar(select(func.count(NoticeCorrection.id))) or 0
    if page > 1 and (page - 1) * PER_PAGE >= total:
        abort(404)
    found = db.session.scalars(
        select(NoticeCorrection)
        .order_by(NoticeCorrection.state != "waiting", NoticeCorrection.id.desc())
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    ).all()
    return render_template(
        "notices/corrections.html",
        corrections=found,
        states=STATES,
        tags=TAGS,
        page=page,
        per_page=PER_PAGE,
        total=total,
        page_url=lambda n: url_for(".index", page=n if n > 1 else None),
    )


@bp.route(f"/notices/{KEY.format('notice_id')}/correct", methods=["GET", "POST"])
@allow("reviewer", "approver")
def ask(notice_id: int) -> Any:
    """New words for a notice; of a long one, fifty items at a time."""
    notice = db.get_or_404(Notice, notice_id)
    if notice.closed_at is not None:
        raise Refused("公示已经结束，内容不再更正")
    page = _page()
    body = notice.newest.body
    ended = {item.position for item in notice.items if item.outcome is not None}
    first = (page - 1) * ITEMS_PER_PAGE
    shown = body["items"][first : first + ITEMS_PER_PAGE]
    if not shown:
        abort(404)
    items = [item for item in shown if item["position"] not in ended]
    form = correction_form(body, items)
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            try:
                correction = operations.ask_correction(
                    notice,
                    current_user,
                    wording.changes_of(body, wanted_words(form, items)),
                    form.reason.data,
                )
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
                status = refused.status
            else:
                db.session.commit()
                flash("已请另一人确认。确认以后才发布新版。", "done")
                return redirect(url_for(".answer", correction_id=correction.id), code=303)
    return render_template(
        "notices/correct.html",
        notice=notice,
        form=form,
        items=items,
        ended=[item for item in shown if item["position"] in ended],
        item_fields=wording.ITEM_FIELDS,
        restarts=document_of(notice.round.policy).notice_restarts,
        page=page,
        per_page=ITEMS_PER_PAGE,
        total=len(body["items"]),
        page_url=lambda n: url_for(".ask", notice_id=notice.id, page=n if n > 1 else None),
    ), status


@bp.route(f"/notices/corrections/{KEY.format('correction_id')}", methods=["GET", "POST"])
@allow("reviewer", "approver")
def answer(correction_id: int) -> Any:
    """What would change, for the second person to publish or refuse."""
    correction = db.get_or_404(NoticeCorrection, correction_id)
    form = AnswerForm()
    status = 200
    if request.method == "POST":
        status, act = 422, request.form.get("act")
        if act not in ("confirm", "decline"):
            abort(400)
        if form.validate_on_submit():
            try:
                if act == "confirm":
                    operations.confirm_correction(correction, current_user)
                else:
                    operations.decline_correction(correction, current_user, form.answer.data or "")
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
                status = refused.status
            else:
                db.session.commit()
                return _done(correction)
    return render_template(
        "notices/correction.html",
        correction=correction,
        notice=correction.notice,
        differences=_differences(correction),
        state=STATES[correction.state],
        tag=TAGS[correction.state],
        form=form,
        problem=operations.why_not_confirm(correction, current_user),
        own=correction.asked_by_id == current_user.id,
        restarts=document_of(correction.notice.round.policy).notice_restarts,
    ), status


def _done(correction: NoticeCorrection) -> Any:
    if correction.state == "declined":
        flash("这处更正没有发布，公示保持原样。", "done")
        return redirect(url_for(".index"), code=303)
    notice = correction.notice
    flash(f"第 {notice.version} 版已发布。", "done")
    return redirect(url_for("notices.show", notice_id=notice.id), code=303)


def _differences(correction: NoticeCorrection) -> list[comparison.Difference]:
    """Against the version that it changes; while it waits, as it would read if confirmed now."""
    versions = correction.notice.versions
    base = versions[correction.base - 1]
    if correction.state == "confirmed":
        after = versions[correction.base].body
    else:
        after = operations.corrected_content(correction, base, utc_now())
    return list(comparison.differences(base.body, after))
