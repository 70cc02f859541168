"""The synonyms as staff see and change them: a list, one more, one group with its trail."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Text, cast, func, select

from catalogue.accounts.access import allow
from catalogue.audit.operations import trail
from catalogue.database import db
from catalogue.errors import Refused
from catalogue.listings import operations
from catalogue.listings.forms import SynonymForm
from catalogue.listings.models import Synonym

bp = Blueprint("synonyms", __name__, url_prefix="/catalogue/synonyms")

PER_PAGE = 50
MAX_PAGE = 1_000
EVENTS = {
    "synonym.add": "添加",
    "synonym.change": "修改",
    "synonym.retire": "停用",
    "synonym.resume": "恢复使用",
}


@bp.route("", methods=["GET", "POST"])
@allow("administrator", "reviewer")
def index() -> Any:
    """Every group, newest change first, those with a word looked for, and one more."""
    form, status = SynonymForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            try:
                operations.add_synonym(form.lines, form.note.data or "", current_user)
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
            else:
                db.session.commit()
                flash("添加了一组同义词，下一次查找就会用到。", "done")
                return redirect(url_for(".index"), code=303)
    word = request.args.get("word", "").replace("\x00", "").strip()[:40]
    found = select(Synonym.id)
    if word:
        found = found.where(cast(Synonym.words, Text).icontains(word, autoescape=True))
    page = max(1, min(request.args.get("page", 1, int), MAX_PAGE))
    rows = db.session.scalars(
        select(Synonym)
        .where(Synonym.id.in_(found))
        .order_by(Synonym.changed_at.desc(), Synonym.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    )
    return render_template(
        "listings/synonyms.html",
        form=form,
        groups=rows.all(),
        word=word,
        page=page,
        per_page=PER_PAGE,
        total=db.session.scalar(select(func.count()).select_from(found.subquery())) or 0,
    ), status


@bp.route("/<int:synonym_id>", methods=["GET", "POST"])
@allow("administrator", "reviewer")
def change(synonym_id: int) -> Any:
    """One group: change it, stop using it or use it again; everything that was done to it."""
    group = db.session.get(Synonym, synonym_id) if synonym_id < 2**63 else None
    if group is None:
        abort(404)
    form, status = SynonymForm(data={"words": "\n".join(group.words), "note": group.note}), 200
    if request.method == "POST":
        status = 422
        if "retire" in request.form:
            return _retired(group)
        if form.validate_on_submit():
            try:
                operations.change_synonym(group, form.lines, form.note.data or "", current_user)
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
            else:
                db.session.commit()
                flash("改好了，下一次查找就会用到。", "done")
                return redirect(url_for(".index"), code=303)
    return render_template(
        "listings/synonym.html", form=form, group=group, events=trail(group)[::-1], names=EVENTS
    ), status


def _retired(group: Synonym) -> Any:
    retired = request.form["retire"] == "yes"
    operations.retire_synonym(group, current_user, retired=retired)
    db.session.commit()
    flash("停用了这组同义词。" if retired else "恢复使用这组同义词。", "done")
    return redirect(url_for(".index"), code=303)
