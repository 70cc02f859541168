"""A search by mail: the sample before agreeing, one's own, and the way out of each mail."""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
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
from sqlalchemy import select

from catalogue.accounts.access import public, signed_in
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.listings import digest, digests
from catalogue.listings.forms import DigestForm
from catalogue.listings.frozen import SEARCH
from catalogue.listings.models import SavedSearch
from catalogue.listings.operations import shanghai_day
from catalogue.listings.seeing import see

bp = Blueprint("digests", __name__)


@bp.route("/digests/new", methods=["GET", "POST"])
@signed_in
def new() -> Any:
    """What will come, how often, with a sample; nothing is sent before the person agrees."""
    day = shanghai_day()
    seen = see(SEARCH, request.args, day) or abort(422)
    form, status = DigestForm(), 200
    if form.validate_on_submit():
        try:
            digests.save(current_user, seen, form.frequency.data, day)
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
        else:
            db.session.commit()
            flash("已订。有变化才发信。", "done")
            return redirect(url_for(".index"), code=303)
    if form.is_submitted():
        status = 422
    page = render_template(
        "listings/digest_new.html",
        form=form,
        seen=seen,
        email=current_user.email,
        sample=digest.told(
            digest.sample(seen),
            seen.words,
            digest.FREQUENCIES["weekly"],
            current_app.config["BASE_URL"],
        ),
        first={name: digests.first_day(name, day) for name in digest.FREQUENCIES},
        can_send=bool(current_app.config["MAIL_URL"]),
        too_many=seen.total > digests.MOST_PRODUCTS,
        most=digests.MOST_PRODUCTS,
    )
    return page, status


@bp.get("/digests")
@signed_in
def index() -> Any:
    """One's own live ones."""
    return render_template(
        "listings/digest_list.html",
        rows=digests.of_owner(current_user),
        frequencies=digest.FREQUENCIES,
    )


@bp.post("/digests/<int(max=999999999999):saved_id>/end")
@signed_in
def end(saved_id: int) -> Any:
    saved = db.session.scalar(
        select(SavedSearch).where(
            SavedSearch.id == saved_id, SavedSearch.owner_id == current_user.id
        )
    )
    digests.end(saved or abort(404), current_user, utc_now())
    db.session.commit()
    flash("已停，不再发信。", "done")
    return redirect(url_for(".index"), code=303)


@bp.route("/digests/stop/<token>", methods=["GET", "POST"])
@public
def stop(token: str) -> Any:
    """The link of every mail: a page with one button, and what mail programs post themselves."""
    saved = db.session.scalar(select(SavedSearch).where(SavedSearch.token == token)) or abort(404)
    if request.method == "POST":
        digests.end(saved, None, utc_now())
        db.session.commit()
    page = make_response(render_template("listings/digest_stop.html", saved=saved))
    page.headers["Cache-Control"] = "no-store"
    page.headers["Referrer-Policy"] = "no-referrer"
    return page
