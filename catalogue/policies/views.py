"""Public pages of schemes and their rules, and the administrator's page to open a round."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_login import current_user
from sqlalchemy import select

from catalogue.accounts.access import allow, public
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.policies import desk_views, in_words, operations, presenting, self_check_views
from catalogue.policies.document import CONFIDENCE, ROUNDING, SCHEMES
from catalogue.policies.forms import RoundForm
from catalogue.policies.models import Policy, Round

bp = Blueprint("policies", __name__)
bp.register_blueprint(desk_views.bp)
bp.register_blueprint(self_check_views.bp)

CLOSED_SHOWN_FOR = timedelta(days=60)


@bp.get("/schemes")
@public
def schemes() -> Any:
    now = utc_now()
    newest = operations.newest_versions()
    rounds = operations.current_rounds(now, now - CLOSED_SHOWN_FOR)
    return render_template(
        "policies/schemes.html",
        schemes=[
            {
                "id": scheme,
                "name": name,
                "policy": newest.get(scheme),
                "document": operations.document_of(newest[scheme]) if scheme in newest else None,
                "rounds": [
                    (opened, presenting.deadline_of(opened, now))
                    for opened in rounds
                    if opened.scheme == scheme
                ],
            }
            for scheme, name in SCHEMES.items()
        ],
        may_apply=_may_apply(),
    )


def _may_apply() -> bool:
    return bool(current_user.is_authenticated and current_user.has_role("applicant"))


@bp.get("/schemes/<scheme>")
@public
def scheme(scheme: str) -> Any:
    return _rules_page(operations.newest_versions().get(scheme) or abort(404))


@bp.get("/schemes/<scheme>/<version>")
@public
def version(scheme: str, version: str) -> Any:
    policy = db.session.scalar(
        select(Policy).where(Policy.scheme == scheme, Policy.version == version)
    )
    return _rules_page(policy or abort(404))


def _rules_page(policy: Policy) -> Any:
    document, now = operations.document_of(policy), utc_now()
    today = now.astimezone(SHANGHAI).date()
    rounds = db.session.scalars(
        select(Round)
        .where(Round.policy_id == policy.id, Round.closes_at >= now)
        .order_by(Round.closes_at, Round.id)
    )
    return render_template(
        "policies/rules.html",
        policy=policy,
        document=document,
        versions=operations.versions_of(policy.scheme),
        rounds=[(opened, presenting.deadline_of(opened, now)) for opened in rounds],
        may_apply=_may_apply(),
        rules=in_words.rules_in_words(document, today),
        worksheet=in_words.worksheet_in_words(document, today),
        parameters=in_words.parameter_rows(document),
        stages=in_words.stage_rows(document),
        confidence=CONFIDENCE,
        rounding=ROUNDING,
        continued=document.is_continued(today),
    )


@bp.route("/rounds/new", methods=["GET", "POST"])
@allow("administrator")
def new_round() -> Any:
    form = RoundForm()
    policies = list(
        db.session.scalars(
            select(Policy).order_by(Policy.scheme, Policy.effective_from.desc(), Policy.id)
        )
    )
    form.policy_id.choices = [(p.id, f"{SCHEMES[p.scheme]}　{p.version} 版") for p in policies]
    if form.validate_on_submit() and (opened := _opened(form)) is not None:
        db.session.commit()
        flash(f"已开批次：{opened.title}，{opened.year} 年第 {opened.batch} 批", "done")
        return redirect(url_for("policies.schemes"), code=303)
    if not form.is_submitted():
        form.year.data = form.year.data or utc_now().astimezone(SHANGHAI).year
    page = render_template("policies/new_round.html", form=form, rounds=_newest_rounds())
    return page, 422 if form.errors else 200


def _opened(form: RoundForm) -> Round | None:
    """The new round, or None with the refusal shown at its field."""
    policy = db.session.get(Policy, form.policy_id.data) or abort(404)
    opens_at, closes_at = form.window()
    try:
        return operations.open_round(
            policy,
            form.title.data or "",
            form.year.data or 0,
            form.batch.data or 0,
            opens_at,
            closes_at,
            current_user,
        )
    except Refused as refused:
        refused.field = form.refused_field(refused.field)
        form.refuse(refused)
        return None


def _newest_rounds() -> list[Round]:
    return list(
        db.session.scalars(select(Round).order_by(Round.opens_at.desc(), Round.id.desc()).limit(20))
    )
