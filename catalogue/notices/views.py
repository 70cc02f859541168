"""Public notices, the objection form and its follow-up, and the approver's decisions."""

from __future__ import annotations

import re
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
from sqlalchemy.orm import contains_eager, selectinload
from wtforms.fields.choices import SelectChoice

from catalogue.accounts.access import allow, public
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents import fonts
from catalogue.documents.operations import receive
from catalogue.documents.rules import safe_filename
from catalogue.errors import Refused
from catalogue.notices import comparison, correction_views, operations, pdf, rules, wording
from catalogue.notices.forms import DecisionForm, ObjectionForm
from catalogue.notices.models import (
    Notice,
    NoticeCorrection,
    NoticeItem,
    NoticeVersion,
    Objection,
)
from catalogue.policies.operations import document_of
from catalogue.working_days import UnknownYear, working_days_between

bp = Blueprint("notices", __name__)
bp.register_blueprint(correction_views.bp)

PER_PAGE = 20
ITEMS_PER_PAGE = 100
FEED_LENGTH = 50
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Outcomes on one page; a notice with more objections than this was never seen.
MAX_DECIDED = 500
# Larger keys than any row has are no page rather than an error of the database.
KEY, NUMBER = "<int(max=999999999999):notice_id>", "<int(min=1,max=9999):number>"
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


@bp.route(f"/notices/{KEY}", defaults={"number": None})
@bp.route(f"/notices/{KEY}/versions/{NUMBER}")
@public
def show(notice_id: int, number: int | None) -> Any:
    """A notice as its newest version says, or as an older one said."""
    notice, version = _version(notice_id, number)
    body = version.body
    page = _page()
    first = (page - 1) * ITEMS_PER_PAGE
    told = body["items"][first : first + ITEMS_PER_PAGE]
    if not told:
        abort(404)
    items = {
        item.position: item
        for item in db.session.scalars(
            select(NoticeItem)
            .where(
                NoticeItem.notice_id == notice.id,
                NoticeItem.position.between(told[0]["position"], told[-1]["position"]),
            )
            .options(selectinload(NoticeItem.objections))
        )
    }
    now = utc_now()
    decided = db.session.scalars(
        select(Objection)
        .join(NoticeItem, NoticeItem.id == Objection.item_id)
        .where(NoticeItem.notice_id == notice.id, Objection.state != "open")
        .order_by(NoticeItem.position, Objection.id)
        .options(contains_eager(Objection.item))
        .limit(MAX_DECIDED)
    ).all()
    return render_template(
        "notices/show.html",
        notice=notice,
        version=version,
        body=body,
        number=number,
        newest=version.version == notice.version,
        versions=_history(notice),
        text=wording.said(body, "text"),
        contact=wording.said(body, "contact"),
        rows=[(line, items[line["position"]]) for line in told],
        decided=[_outcome(objection) for objection in decided],
        standing=standing(notice, now),
        hours=wording.hours(body),
        takes_objections=notice.takes_objections(now),
        with_amounts=any(line["amount_fen"] is not None for line in body["items"]),
        outcomes=rules.OUTCOMES,
        restarts=document_of(notice.round.policy).notice_restarts,
        may_correct=notice.closed_at is None
        and current_user.is_authenticated
        and current_user.has_role("reviewer", "approver"),
        page=page,
        per_page=ITEMS_PER_PAGE,
        total=len(body["items"]),
        page_url=lambda n: url_for(
            ".show", notice_id=notice.id, number=number, page=n if n > 1 else None
        ),
    )


def _version(notice_id: int, number: int | None) -> tuple[Notice, NoticeVersion]:
    """The notice and one of its versions, the newest if none is named; 404 otherwise."""
    notice = db.get_or_404(Notice, notice_id)
    version = db.session.scalar(
        select(NoticeVersion).where(
            NoticeVersion.notice_id == notice.id,
            NoticeVersion.version == (number or notice.version),
        )
    )
    return notice, version or abort(404)


def _history(notice: Notice) -> list[dict[str, Any]]:
    """Every version, the newest first: number, when, and why it came."""
    rows = db.session.execute(
        select(NoticeVersion.version, NoticeVersion.published_at, NoticeCorrection.reason)
        .outerjoin(NoticeCorrection, NoticeCorrection.id == NoticeVersion.correction_id)
        .where(NoticeVersion.notice_id == notice.id)
        .order_by(NoticeVersion.version.desc())
    )
    return [{"version": v, "published_at": at, "reason": reason} for v, at, reason in rows]


@bp.route(f"/notices/{KEY}/versions/{NUMBER}/changes")
@public
def changes(notice_id: int, number: int) -> Any:
    """What a version says differently from the one before it, word by word."""
    notice, version = _version(notice_id, number)
    _, before = _version(notice_id, number - 1) if number > 1 else abort(404)
    return render_template(
        "notices/changes.html",
        notice=notice,
        version=version,
        before=before,
        body=version.body,
        differences=list(comparison.differences(before.body, version.body)),
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


@bp.route(f"/notices/{KEY}.json", defaults={"number": None})
@bp.route(f"/notices/{KEY}/versions/{NUMBER}.json")
@public
def content(notice_id: int, number: int | None) -> Any:
    """The frozen content: exactly the bytes that the hash on the page was taken of."""
    _, version = _version(notice_id, number)
    return Response(version.content.encode(), mimetype="application/json")


@bp.route(f"/notices/{KEY}/signed.json", defaults={"number": None})
@bp.route(f"/notices/{KEY}/versions/{NUMBER}/signed.json")
@public
def signed(notice_id: int, number: int | None) -> Any:
    """The same content in an envelope with its hash and the signature made at publication."""
    notice, version = _version(notice_id, number)
    data = _envelope(version)
    if data is None:
        raise Refused("这份公示早于签名制度，正在补签，请稍后再来", status=404)
    name = f"notice-{notice.id}-{version.version}.json"
    return Response(
        data,
        mimetype="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _envelope(version: NoticeVersion) -> bytes | None:
    if version.signature is None or version.certificate is None:
        return None
    return wording.envelope(version.content, version.sha256, version.signature, version.certificate)


@bp.route(f"/notices/{KEY}.pdf", defaults={"number": None})
@bp.route(f"/notices/{KEY}/versions/{NUMBER}.pdf")
@public
def paper(notice_id: int, number: int | None) -> Any:
    """The same content as an official paper; equal at every download."""
    notice, version = _version(notice_id, number)
    address = url_for(".show", notice_id=notice.id, number=version.version)
    data = pdf.drawn(
        version.content,
        _envelope(version),
        current_app.config["BASE_URL"] + address,
        fonts.prepare(current_app.config["FONTS_DIR"]),
        specimen=current_app.config["MODE"] != "production",
    )
    return Response(
        data,
        mimetype="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="notice-{notice.id}-{version.version}.pdf"'
        },
    )


@bp.route("/notices/feed.atom")
@public
def feed() -> Any:
    """The newest versions as Atom; a correction is an entry of its own."""
    rows = db.session.execute(
        select(NoticeVersion, Notice)
        .join(Notice, Notice.id == NoticeVersion.notice_id)
        .order_by(NoticeVersion.published_at.desc(), NoticeVersion.id.desc())
        .limit(FEED_LENGTH)
    ).all()
    entries = [_entry(notice, version) for version, notice in rows]
    body = render_template(
        "notices/feed.xml",
        entries=entries,
        updated=max((entry["updated"] for entry in entries), default=None),
        root=current_app.config["BASE_URL"],
    )
    return Response(body, mimetype="application/atom+xml")


def _entry(notice: Notice, version: NoticeVersion) -> dict[str, Any]:
    body = version.body
    first = version.version == 1
    newest = version.version == notice.version
    number = None if first else version.version
    summary = [notice.number, f"第 {version.version} 版", f"{len(body['items'])} 件产品"]
    if not first:
        summary.append(f"更正理由：{body['reason']}")
    summary += [wording.hours(body), f"SHA-256 {version.sha256}"]
    return {
        "title": _xml(("" if first else "更正：") + body["title"]),
        "address": url_for(".show", notice_id=notice.id, number=number),
        "paper": url_for(".paper", notice_id=notice.id, number=number),
        "published": version.published_at,
        "updated": (notice.closed_at if newest else None) or version.published_at,
        "summary": _xml("　".join(summary)),
    }


def _xml(text: str) -> str:
    """``text`` without what no XML document may hold; the template escapes the rest."""
    return NO_XML.sub("", text)


@bp.route(f"/notices/{KEY}/object", methods=["GET", "POST"])
@public
def object_to(notice_id: int) -> Any:
    notice = db.get_or_404(Notice, notice_id)
    items = {item.id: item for item in notice.items if item.outcome is None}
    problem = None
    if not items or not notice.takes_objections(utc_now()):
        problem = Refused("公示期已经结束，不能再提异议")
        if request.method == "GET":
            raise problem
    form = ObjectionForm(item=request.args.get("item", type=int))
    form.item.choices = [
        SelectChoice(item.id, f"{item.position}　{item.name} {item.model}（{item.firm}）")
        for item in items.values()
    ]
    status = 200
    if request.method == "POST":
        status = 422
        if problem is not None:
            # Too late; but what was typed stays to be copied.
            form.refuse(problem)
            status = problem.status
        elif form.validate_on_submit():
            try:
                objection = _file(items[form.item.data], form)
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
                status = refused.status
            else:
                db.session.commit()
                flash("异议已收到。请记下查询码。", "done")
                return redirect(url_for(".follow", code=objection.receipt_code), code=303)
        if form.files.data and not form.files.errors:
            form.files.errors = ["浏览器不保留选过的文件，请重新选择"]
    return render_template(
        "notices/object.html",
        notice=notice,
        form=form,
        most_files=rules.MAX_FILES,
        most_megabytes=rules.MAX_FILE_BYTES // 2**20,
    ), status


def _file(item: NoticeItem, form: ObjectionForm) -> Objection:
    # Files are checked before any row is locked: reading one of them may take a second.
    files = []
    for file in form.files.data or ():
        try:
            files.append(receive(file.stream, file.filename, limit=rules.MAX_FILE_BYTES))
        except Refused as refused:
            name = safe_filename(file.filename or "文件", "")[:40]
            raise Refused(f"“{name}”：{refused.reason}", "files", refused.status) from refused
    filing = operations.Filing(
        ground=form.ground.data,
        argument=form.argument.data,
        remedy=form.remedy.data,
        contact=form.contact.data or None,
        sent_key=form.sent_key.data,
    )
    uploader = current_user if current_user.is_authenticated else None
    return operations.file_objection(item, filing, files, uploader)


@bp.route("/objections/<code>")
@public
def follow(code: str) -> Any:
    """Anyone who holds the code follows the case; the code is the only key."""
    code = code.strip().upper()
    if not rules.is_receipt_code(code):
        abort(404)
    objection = db.session.scalar(select(Objection).where(Objection.receipt_code == code))
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
        .options(
            selectinload(Objection.item).joinedload(NoticeItem.notice),
            selectinload(Objection.files),
        )
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
