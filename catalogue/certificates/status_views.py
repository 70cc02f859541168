"""Changing a certificate's status: what waits, asking, and the second person's answer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user

from catalogue.accounts.access import allow
from catalogue.certificates import operations, rules
from catalogue.certificates.forms import AnswerForm, ChangeForm, ReplaceForm
from catalogue.certificates.models import Certificate, CertificateStatus
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused

bp = Blueprint("status", __name__)


@bp.get("/certificates/changes")
@allow(*operations.ASKERS)
def index() -> Any:
    """What waits for a second person, and what was decided lately; the way to a certificate."""
    typed = request.args.get("number", "").strip()[:60]
    if typed:
        certificate = operations.check_number(typed)
        if certificate is not None:
            return redirect(url_for(".ask", number=certificate.number), code=303)
    page = render_template(
        "certificates/changes.html",
        typed=typed,
        waiting=operations.waiting_changes(),
        made=operations.made_changes(),
        acts=rules.ACTS,
        can_confirm=current_user.has_role(*operations.CONFIRMERS),
    )
    return page, 404 if typed else 200


def _certificate(number: str) -> Certificate:
    return operations.check_number(number) or abort(404)


def _standing(certificate: Certificate) -> rules.Standing:
    return certificate.standing(utc_now().astimezone(SHANGHAI).date())


@bp.route("/certificates/<number>/change", methods=["GET", "POST"])
@allow(*operations.ASKERS)
def ask(number: str) -> Any:
    """Ask for another status."""
    certificate = _certificate(number)
    standing = _standing(certificate)
    form = ChangeForm()
    form.status.choices = [
        (status, rules.ACTS[status])
        for status in rules.NEXT[certificate.status]
        if status != "replaced" and rules.why_not(status, certificate.status, standing) is None
    ]
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            try:
                operations.ask_change(
                    certificate, form.status.data or "", form.reason.data or "", current_user
                )
            except Refused as refused:
                if refused.field is None:
                    raise
                form.refuse(refused)
            else:
                return _asked(certificate)
    page = render_template(
        "certificates/change.html",
        certificate=certificate,
        standing=standing,
        form=form,
        acts=rules.ACTS,
        may_replace=rules.why_not("replaced", certificate.status, standing) is None,
    )
    return page, status


def _asked(certificate: Certificate) -> Any:
    db.session.commit()
    flash("已提出，等另一人确认；确认前状态不变。", "done")
    return redirect(url_for(".ask", number=certificate.number), code=303)


@bp.route("/certificates/<number>/replace", methods=["GET", "POST"])
@allow(*operations.ASKERS)
def replace(number: str) -> Any:
    """Ask for a new certificate with other names."""
    certificate = _certificate(number)
    standing = _standing(certificate)
    problem = rules.why_not("replaced", certificate.status, standing)
    if problem:
        raise Refused(problem)
    words = {name: getattr(certificate.words, name) or "" for name in rules.NAMES}
    form = ReplaceForm(data=words)
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            given = {name: form[name].data or "" for name in rules.NAMES}
            try:
                operations.ask_change(
                    certificate, "replaced", form.reason.data or "", current_user, given
                )
            except Refused as refused:
                if refused.field is None:
                    raise
                form.refuse(refused)
            else:
                return _asked(certificate)
    page = render_template(
        "certificates/replace.html",
        certificate=certificate,
        standing=standing,
        form=form,
        names=rules.NAMES,
    )
    return page, status


@bp.route("/certificates/changes/<int:change_id>", methods=["GET", "POST"])
@allow(*operations.ASKERS)
def answer(change_id: int) -> Any:
    """The second person reads what was asked, and confirms or refuses."""
    change: CertificateStatus | None = (
        db.session.get(CertificateStatus, change_id) if change_id < 2**63 else None
    )
    if change is None:
        abort(404)
    form = AnswerForm()
    status = 200
    if request.method == "POST":
        status = 422
        act = request.form.get("act")
        if act not in ("confirm", "refuse"):
            abort(400)
        if form.validate_on_submit():
            try:
                operations.answer_change(
                    change, current_user, form.answer.data, confirmed=act == "confirm"
                )
            except Refused as refused:
                if refused.field != "answer":
                    raise
                form.refuse(refused)
            else:
                db.session.commit()
                done = f"已{rules.ACTS[change.status]}，核验页即时显示。"
                flash(done if change.confirmed else "已答复不同意。", "done")
                return redirect(url_for(".index"), code=303)
    page = render_template(
        "certificates/answer_change.html",
        change=change,
        certificate=change.certificate,
        standing=_standing(change.certificate),
        form=form,
        acts=rules.ACTS,
        differences=_new_words(change),
        own=change.asked_by_id == current_user.id,
        can_confirm=current_user.has_role(*operations.CONFIRMERS),
    )
    return page, status


def _new_words(change: CertificateStatus) -> list[dict[str, str]]:
    """What a replacement changes, old beside new."""
    old = change.certificate.words
    return [
        {"label": label, "old": getattr(old, name) or "（无）", "new": given or "（无）"}
        for name, (label, _, _) in rules.NAMES.items()
        if (given := (change.words or {}).get(name, "")) != (getattr(old, name) or "")
        and change.words
    ]
