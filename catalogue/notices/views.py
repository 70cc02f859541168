"""Public notices, the objection form and its follow-up, and the approver's decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload
from wtforms.fields.choices import SelectChoice

from catalogue import keys
from catalogue.accounts.access import allow, public
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.notices import operations, rules
from catalogue.notices.forms import DecisionForm, ObjectionForm
from catalogue.notices.models import Notice, NoticeItem, Objection
from catalogue.working_days import UnknownYear, working_days_between

bp = Blueprint("notices", __name__)

PER_PAGE = 20
ITEMS_PER_PAGE = 100
FEED_LENGTH = 50
STATES = {"": "全部", "open": "公示中", "ended": "已结束"}


@bp.route("/notices")
@public
def notices() -> Any:
    state = request.args.get("state", "")
    if state not in STATES:
        state = ""
    page = _page()
    where = {
        "": [],
        "open": [Notice.closed_at.is_(None)],
        "ended": [Notice.closed_at.is_not(None)],
    }[state]
    total = db.session.scalar(select(func.count(Notice.id)).where(*where)) or 0
    if page > 1 and (page - 1) * PER_PAGE >= total:
        abort(404)
    notices = db.session.scalars(
        select(Notice)
        .where(*where)
        .order_by(Notice.closed_at.is_not(None), Notice.published_at.desc(), Notice.id.desc())
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    ).all()
    return render_template(
        "notices/notices.html",
        rows=_rows(notices),
        state=state,
        states=STATES,
        page=page,
        per_page=PER_PAGE,
        total=total,
        page_url=lambda n: url_for(".notices", state=state or None, page=n if n > 1 else None),
    )


def _page() -> int:
    try:
        page = int(request.args.get("page", "1"))
    except ValueError:
        abort(404)
    return page if 1 <= page <= 100_000 else abort(404)


def _rows(notices: Any) -> list[dict[str, Any]]:
    """Each notice with its counts, for two queries however many notices there are."""
    keys = [notice.id for notice in notices]
    items: dict[int, int] = dict(
        db.session.execute(
            select(NoticeItem.notice_id, func.count())
            .where(NoticeItem.notice_id.in_(keys))
            .group_by(NoticeItem.notice_id)
        ).all()
    )
    counted = (
        select(
            NoticeItem.notice_id,
            func.count(),
            func.count().filter(Objection.state == "open"),
            func.count().filter(Objection.state == "upheld"),
        )
        .join(Objection, Objection.item_id == NoticeItem.id)
        .where(NoticeItem.notice_id.in_(keys))
        .group_by(NoticeItem.notice_id)
    )
    objections = {key: rest for key, *rest in db.session.execute(counted)}
    now = utc_now()
    return [
        {
            "notice": notice,
            "items": items.get(notice.id, 0),
            "objections": _objection_words(*objections.get(notice.id, (0, 0, 0))),
            "standing": standing(notice, now),
        }
        for notice in notices
    ]


def _objection_words(count: int, waiting: int, upheld: int) -> str:
    if not count:
        return "无异议"
    parts = [f"异议 {count} 件"]
    if waiting:
        parts.append(f"{waiting} 件核查中")
    if upheld:
        parts.append(f"{upheld} 件成立")
    if not waiting and not upheld:
        parts.append("经核查不成立")
    return "，".join(parts)


def standing(notice: Notice, now: datetime) -> dict[str, Any]:
    """Tag, words and time left of a notice at ``now``."""
    if notice.closed_at is not None:
        return {"kind": "plain", "label": "已结束", "left": None, "words": "公示已结束"}
    if now >= notice.closes_at:
        return {
            "kind": "working",
            "label": "期满处理中",
            "left": None,
            "words": "公示期已满，未结的异议处理完后公布结果",
        }
    today, last = (at.astimezone(SHANGHAI).date() for at in (now, notice.closes_at))
    try:
        left = working_days_between(today, last)
    except UnknownYear:
        left = None
    words = "今天截止" if today == last else f"剩 {left} 个工作日" if left is not None else ""
    return {"kind": "official", "label": "公示中", "left": left, "words": words}


@bp.route("/notices/<int(max=999999999999):notice_id>")
@public
def show(notice_id: int) -> Any:
    notice = db.get_or_404(Notice, notice_id)
    total = db.session.scalar(
        select(func.count(NoticeItem.id)).where(NoticeItem.notice_id == notice.id)
    )
    page = _page()
    items = db.session.scalars(
        select(NoticeItem)
        .where(NoticeItem.notice_id == notice.id)
        .options(selectinload(NoticeItem.objections))
        .order_by(NoticeItem.position)
        .limit(ITEMS_PER_PAGE)
        .offset((page - 1) * ITEMS_PER_PAGE)
    ).all()
    if not items:
        abort(404)
    now = utc_now()
    decided = db.session.scalars(
        select(Objection)
        .join(NoticeItem, NoticeItem.id == Objection.item_id)
        .where(NoticeItem.notice_id == notice.id, Objection.state != "open")
        .order_by(NoticeItem.position, Objection.id)
    ).all()
    return render_template(
        "notices/show.html",
        notice=notice,
        items=items,
        decided=[_outcome(objection) for objection in decided],
        standing=standing(notice, now),
        takes_objections=notice.takes_objections(now),
        with_amounts=any(item.amount_fen is not None for item in items),
        outcomes=rules.OUTCOMES,
        page=page,
        per_page=ITEMS_PER_PAGE,
        total=total,
        page_url=lambda n: url_for(".show", notice_id=notice.id, page=n if n > 1 else None),
    )


def _outcome(objection: Objection) -> dict[str, Any]:
    assert objection.decided_at is not None
    filed, decided = (
        at.astimezone(SHANGHAI).date() for at in (objection.filed_at, objection.decided_at)
    )
    try:
        days: int | None = working_days_between(filed, decided)
    except UnknownYear:
        days = None
    return {
        "item": objection.item,
        "ground": rules.GROUNDS[objection.ground],
        "state": rules.OBJECTION_STATES[objection.state],
        "kind": rules.OBJECTION_TAGS[objection.state],
        "reason": objection.decision_reason,
        "days": days,
        "decided_on": decided,
    }


@bp.route("/notices/<int(max=999999999999):notice_id>.json")
@public
def content(notice_id: int) -> Any:
    """The frozen content: exactly the bytes that the hash on the page was taken of."""
    notice = db.get_or_404(Notice, notice_id)
    return Response(rules.canonical(notice.content), mimetype="application/json")


@bp.route("/notices/<int(max=999999999999):notice_id>/signed.json")
@public
def signed(notice_id: int) -> Any:
    """The same content in an envelope with its hash and the portal's signature."""
    notice = db.get_or_404(Notice, notice_id)
    key = keys.of(current_app.config)
    envelope = {
        "notice": notice.content,
        "sha256": notice.sha256,
        "signature": key.sign(rules.canonical(notice.content)),
        "certificate": key.pem,
    }
    return Response(
        rules.canonical(envelope),
        mimetype="application/json",
        headers={"Content-Disposition": f'attachment; filename="notice-{notice.id}.json"'},
    )


@bp.route("/notices/feed.atom")
@public
def feed() -> Any:
    notices = db.session.scalars(
        select(Notice).order_by(Notice.published_at.desc(), Notice.id.desc()).limit(FEED_LENGTH)
    ).all()
    body = render_template(
        "notices/feed.xml",
        rows=_rows(notices),
        updated=max((n.closed_at or n.published_at for n in notices), default=None),
        root=request.url_root.rstrip("/"),
    )
    return Response(body, mimetype="application/atom+xml")


@bp.route("/notices/<int(max=999999999999):notice_id>/object", methods=["GET", "POST"])
@public
def object_to(notice_id: int) -> Any:
    notice = db.get_or_404(Notice, notice_id)
    if not notice.takes_objections(utc_now()):
        raise Refused("公示期已经结束，不能再提异议")
    items = {item.id: item for item in notice.items if item.outcome is None}
    form = ObjectionForm(item=request.args.get("item", type=int))
    form.item.choices = [
        SelectChoice(item.id, f"{item.position}　{item.name} {item.model}（{item.firm}）")
        for item in items.values()
    ]
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            objection = operations.file_objection(items[form.item.data], _filing(form))
            db.session.commit()
            flash("异议已收到。请记下查询码。", "done")
            return redirect(url_for(".follow", code=objection.receipt_code), code=303)
    return render_template("notices/object.html", notice=notice, form=form), status


def _filing(form: ObjectionForm) -> operations.Filing:
    return operations.Filing(
        ground=form.ground.data,
        argument=form.argument.data,
        remedy=form.remedy.data,
        contact=form.contact.data or None,
    )


@bp.route("/objections/<code>")
@public
def follow(code: str) -> Any:
    """Anyone who holds the code follows the case; the code is the only key."""
    objection = db.session.scalar(
        select(Objection).where(Objection.receipt_code == code.strip().upper())
    )
    if objection is None:
        abort(404)
    page = render_template(
        "notices/follow.html",
        objection=objection,
        notice=objection.item.notice,
        ground=rules.GROUNDS[objection.ground],
        state=rules.OBJECTION_STATES[objection.state],
        kind=rules.OBJECTION_TAGS[objection.state],
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.route("/objections")
@allow("approver")
def objections() -> Any:
    state = request.args.get("state", "open")
    if state not in (*rules.OBJECTION_STATES, "all"):
        state = "open"
    page = _page()
    where = [] if state == "all" else [Objection.state == state]
    total = db.session.scalar(select(func.count(Objection.id)).where(*where)) or 0
    if page > 1 and (page - 1) * PER_PAGE >= total:
        abort(404)
    rows = db.session.scalars(
        select(Objection)
        .where(*where)
        .options(selectinload(Objection.item).joinedload(NoticeItem.notice))
        .order_by(Objection.state != "open", Objection.id)
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    ).all()
    return render_template(
        "notices/objections.html",
        objections=rows,
        grounds=rules.GROUNDS,
        states=rules.OBJECTION_STATES,
        tags=rules.OBJECTION_TAGS,
        state=state,
        page=page,
        per_page=PER_PAGE,
        total=total,
        page_url=lambda n: url_for(".objections", state=state, page=n if n > 1 else None),
    )


@bp.route("/objections/<int(max=999999999999):objection_id>/decision", methods=["GET", "POST"])
@allow("approver")
def decide(objection_id: int) -> Any:
    objection = db.get_or_404(Objection, objection_id)
    form = DecisionForm()
    status = 200
    if request.method == "POST":
        status = 422
        verbs = {"dismiss": operations.dismiss, "uphold": operations.uphold}
        verb = verbs.get(request.form.get("act", ""))
        if verb is None:
            abort(400)
        if form.validate_on_submit():
            try:
                verb(objection, current_user, form.reason.data)
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
                status = refused.status
            else:
                db.session.commit()
                flash("异议已处理，结果已在公示页公布。", "done")
                return redirect(url_for(".objections"), code=303)
    return render_template(
        "notices/decision.html",
        objection=objection,
        form=form,
        ground=rules.GROUNDS[objection.ground],
        state=rules.OBJECTION_STATES[objection.state],
        kind=rules.OBJECTION_TAGS[objection.state],
        problem=operations.why_not_decide(objection, current_user),
    ), status
