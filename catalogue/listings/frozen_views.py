"""Frozen searches: make one, list one's own, take it away, and let anyone check it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_login import current_user

from catalogue.accounts.access import allow, public
from catalogue.database import db, utc_now
from catalogue.documents import fonts, paper
from catalogue.listings import freezing, frozen_paper
from catalogue.listings import frozen as words
from catalogue.listings.forms import FreezeForm
from catalogue.listings.models import Frozen
from catalogue.listings.operations import shanghai_day
from catalogue.listings.seeing import see

bp = Blueprint("frozen", __name__, url_prefix="/frozen")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_PAGE = 500


@bp.route("/new/<any(search, need, comparison):of>", methods=["GET", "POST"])
@allow("buyer")
def new(of: str) -> Any:
    """Show what would be kept, and keep it as it is at the moment of the post."""
    seen = see(of, request.args, shanghai_day())
    if seen is None or not seen.results:
        return render_template("listings/frozen_nothing.html", kind=of), 422
    form = FreezeForm()
    if form.validate_on_submit():
        made = freezing.freeze(current_user, seen, form.purpose.data or "", utc_now())
        db.session.commit()
        flash("已冻结。请把编号记入采购档案。", "done")
        return redirect(url_for(".show", number=made.number), code=303)
    page = render_template(
        "listings/freeze.html", form=form, seen=seen, kind_name=words.KIND_NAMES[of]
    )
    return page, 422 if form.errors else 200


@bp.get("")
@allow("buyer")
def index() -> Any:
    """One's own, the newest first."""
    page = request.args.get("page", 1, type=int)
    if not 1 <= page <= MAX_PAGE:
        abort(404)
    rows, more = freezing.of_owner(current_user, page)
    if page > 1 and not rows:
        abort(404)
    return render_template(
        "listings/frozen_list.html", rows=rows, more=more, page=page, kinds=words.KIND_NAMES
    )


@bp.get("/check")
@public
def check() -> Any:
    """Where a number or a hash is typed."""
    typed = request.args.get("q", "")[:100].strip()
    kept = freezing.found(typed) if typed else None
    if kept is not None:
        return redirect(url_for(".show", number=kept.number), code=303)
    return render_template("listings/frozen_check.html", typed=typed), 404 if typed else 200


@bp.get("/<number>")
@public
def show(number: str) -> Any:
    """What was seen that day, whether it is unaltered, and what has changed; never who saw it."""
    kept = _kept(number)
    return render_template(
        "listings/frozen.html",
        kept=kept,
        content=kept.content,
        mine=kept.owned_by(current_user),
        holds=freezing.holds(kept),
        since=freezing.since_then(kept, shanghai_day()),
        today=shanghai_day(),
        kind_name=words.KIND_NAMES[kept.kind],
        purchase_of=frozen_paper.purchase_of,
        figures_of=frozen_paper.figures_of,
        answers_of=frozen_paper.answers_of,
    )


@bp.get("/<number>/frozen.json")
@public
def signed(number: str) -> Any:
    """The signed file: content, hash, signature, certificate."""
    kept = _kept(number)
    data = words.envelope(kept.content, kept.sha256, kept.signature, kept.certificate)
    return _attachment(data, f"{kept.number}.json", "application/json")


@bp.get("/<number>/frozen.pdf")
@allow("buyer")
def pdf(number: str) -> Any:
    """Page one of the purchase file."""
    kept = _own(number)
    papers = frozen_paper.papers_of(kept.content, _told(kept))
    data = paper.draw(papers, fonts.prepare(current_app.config["FONTS_DIR"]))
    return _attachment(data, f"{kept.number}.pdf", "application/pdf")


@bp.get("/<number>/frozen.xlsx")
@allow("buyer")
def xlsx(number: str) -> Any:
    """The same as a workbook."""
    kept = _own(number)
    data = frozen_paper.sheet_of(kept.content, _told(kept))
    return _attachment(data, f"{kept.number}.xlsx", XLSX)


def _kept(number: str) -> Frozen:
    if words.NUMBER.fullmatch(number) is None:
        abort(404)
    return freezing.found(number) or abort(404)


def _own(number: str) -> Frozen:
    kept = _kept(number)
    return kept if kept.owned_by(current_user) else abort(404)


def _told(kept: Frozen) -> frozen_paper.Told:
    base = current_app.config["BASE_URL"]
    return frozen_paper.Told(
        who=f"{kept.owner.name}（{kept.owner.role_label}）",
        purpose=kept.purpose,
        sha256=kept.sha256,
        check_url=base + url_for(".show", number=kept.number),
        address=base + kept.content["asked"]["address"],
        specimen=current_app.config["MODE"] != "production",
    )


def _attachment(data: bytes, name: str, media_type: str) -> Any:
    response = send_file(BytesIO(data), mimetype=media_type, as_attachment=True, download_name=name)
    response.headers["Cache-Control"] = "no-store"
    return response
