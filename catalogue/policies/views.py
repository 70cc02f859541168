"""Public pages of schemes and their rules, and the administrator's page to open a round."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select

from catalogue.accounts.access import allow, public
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.policies import (
    desk_views,
    in_words,
    operations,
    presenting,
    self_check_views,
    simulator_views,
)
from catalogue.policies.document import CONFIDENCE, ROUNDING, SCHEMES
from catalogue.policies.forms import RoundForm
from catalogue.policies.models import Policy, Round

bp = Blueprint("policies", __name__)
bp.register_blueprint(desk_views.bp)
bp.register_blueprint(self_check_views.bp)
bp.register_blueprint(simulator_views.bp)

CLOSED_SHOWN_FOR = timedelta(days=60)


@bp.get("/schemes")
@public
def schemes() -> Any:
    now = utc_now()
    today = now.astimezone(SHANGHAI).date()
    versions = operations.all_versions()
    rounds = operations.current_rounds(now, now - CLOSED_SHOWN_FOR)
    found = []
    for scheme, name in SCHEMES.items():
        policies = versions.get(scheme, [])
        shown = operations.governing(policies, today) or next(iter(policies), None)
        found.append(
            {
                "id": scheme,
                "name": name,
                "policy": shown,
                "document": shown and operations.document_of(shown),
                "versions": policies,
                "rounds": [
                    (opened, presenting.deadline_of(opened, now))
                    for opened in rounds
                    if opened.scheme == scheme
                ],
            }
        )
    return render_template("policies/schemes.html", schemes=found, may_apply=_may_apply())


def _may_apply() -> bool:
    return bool(current_user.is_authenticated and current_user.has_role("applicant"))


def _today() -> date:
    return utc_now().astimezone(SHANGHAI).date()


@bp.get("/schemes/<scheme>")
@public
def scheme(scheme: str) -> Any:
    versions = operations.versions_of(scheme) or abort(404)
    return _rules_page(operations.governing(versions, _today()) or versions[0], versions)


@bp.get("/schemes/<scheme>/<version>")
@public
def version(scheme: str, version: str) -> Any:
    versions = operations.versions_of(scheme)
    return _rules_page(_one_of(versions, version), versions)


def _one_of(versions: list[Policy], version: str) -> Policy:
    return next((p for p in versions if p.version == version), None) or abort(404)


def _rules_page(policy: Policy, versions: list[Policy]) -> Any:
    document, now = operations.document_of(policy), utc_now()
    today = now.astimezone(SHANGHAI).date()
    rounds = db.session.scalars(
        select(Round)
        .where(Round.policy_id == policy.id, Round.closes_at >= now)
        .order_by(Round.closes_at, Round.id)
    )
    governing = operations.governing(versions, today)
    return render_template(
        "policies/rules.html",
        policy=policy,
        document=document,
        versions=versions,
        governing=governing,
        rounds=[(opened, presenting.deadline_of(opened, now)) for opened in rounds],
        may_apply=_may_apply(),
        rules=in_words.rules_in_words(document, today),
        worksheet=in_words.worksheet_in_words(document, today),
        questions=in_words.question_rows(document),
        parameters=in_words.parameter_rows(document),
        stages=in_words.stage_rows(document),
        resting=in_words.resting_on(document),
        confidence=CONFIDENCE,
        rounding=ROUNDING,
        continued=document.is_continued(today),
    )


@bp.get("/schemes/<scheme>/<version>.yaml")
@public
def text(scheme: str, version: str) -> Any:
    """The published bytes, word for word: what decision records are replayed under."""
    policy = _one_of(operations.versions_of(scheme), version)
    response = Response(policy.source.encode(), mimetype="application/yaml")
    response.headers["Content-Disposition"] = f'attachment; filename="{scheme}-{version}.yaml"'
    response.set_etag(policy.sha256)
    return response.make_conditional(request)


@bp.get("/schemes/<scheme>/<version>/articles/<slug>")
@public
def article(scheme: str, version: str, slug: str) -> Any:
    policy = _one_of(operations.versions_of(scheme), version)
    document = operations.document_of(policy)
    found = next((a for a in document.articles.values() if a.slug == slug), None) or abort(404)
    return render_template(
        "policies/article.html",
        policy=policy,
        document=document,
        article=found,
        resting=in_words.resting_on(document)[found.key],
        rules=[
            rule
            for rule in in_words.rules_in_words(document, _today())
            if rule["article"] == found.key
        ],
        people=[item["text"] for item in document.people if item["article"] == found.key],
        decided=operations.decided_by(policy, [r.id for r in document.rules]),
        recent=operations.RECENT_RECORDS,
        confidence=CONFIDENCE,
    )


@bp.get("/schemes/<scheme>/changes")
@public
def changes(scheme: str) -> Any:
    versions = operations.versions_of(scheme) or abort(404)
    new = _chosen(versions, "to", 0)
    old = _chosen(versions, "from", min(versions.index(new) + 1, len(versions) - 1))
    if versions.index(old) < versions.index(new):
        old, new = new, old
    return render_template(
        "policies/changes.html",
        scheme=scheme,
        name=SCHEMES[scheme],
        versions=versions,
        old=old,
        new=new,
        comparison=operations.comparison_of(old, new) if old is not new else None,
    )


def _chosen(versions: list[Policy], key: str, default: int) -> Policy:
    """The version that the address names; the default when it names none."""
    wanted = request.args.get(key, "")
    return _one_of(versions, wanted) if wanted else versions[default]


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
