"""Registration, joining, and the pages on which a firm keeps its own facts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from catalogue.accounts.access import allow, public
from catalogue.accounts.views import begin_session
from catalogue.audit.operations import trail
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises import operations, rules
from catalogue.enterprises.forms import (
    AccountForm,
    ExclusionForm,
    FindFirmForm,
    FirmForm,
    HonourForm,
    JoinForm,
    LiftForm,
    ProfileForm,
    RegisterForm,
    RelatedPartyForm,
    RevealForm,
)
from catalogue.enterprises.models import (
    GROUNDS,
    MEMBER_ROLES,
    SIZES,
    TIES,
    Enterprise,
    Exclusion,
    Membership,
    membership_of,
)
from catalogue.enterprises.taxonomies import honour_name
from catalogue.errors import Refused

bp = Blueprint("enterprises", __name__)

FIRM_ROLES = ("applicant", "signatory")
# Bounds of what one page shows: a firm has a handful of people and honours.
PAGE_MEMBERS = 100
PAGE_EVENTS = 50
PAGE_EXCLUSIONS = 25


def today() -> date:
    """The calendar day in Shanghai."""
    return utc_now().astimezone(SHANGHAI).date()


def _own() -> Enterprise | None:
    place = membership_of(current_user)
    return place.enterprise if place else None


def _to_join() -> Response:
    return redirect(url_for("enterprises.join"), code=303)


def _to_profile(message: str) -> Response:
    flash(message, "done")
    return redirect(url_for("enterprises.profile"), code=303)


@bp.route("/register", methods=["GET", "POST"])
@public
def register() -> Any:
    if current_user.is_authenticated:
        return redirect(url_for("enterprises.profile"), code=303)
    form = RegisterForm()
    if form.validate_on_submit():
        try:
            return _registered(form)
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    status = 422 if form.is_submitted() else 200
    return render_template("enterprises/register.html", form=form), status


def _registered(form: RegisterForm) -> Response:
    """Make the account; a known firm is joined on the next page, a new one is made here."""
    code, role = form.credit_code.data, form.role.data
    known = operations.find_enterprise(code) is not None
    user = operations.create_person(form.email.data, form.name.data, form.password.data, role)
    if not known:
        operations.register_enterprise(code, form.firm_name.data, user, role)
    db.session.commit()
    begin_session(user)
    if known:
        return redirect(url_for("enterprises.join", code=code, role=role), code=303)
    return _to_profile("单位登记好了。补全资料以后就能申报。")


@bp.route("/enterprise/join", methods=["GET", "POST"])
@allow(*FIRM_ROLES)
def join() -> Any:
    """Three pages in one address: ask for the code, join a known firm, register a new one."""
    place = db.session.scalar(select(Membership).where(Membership.user_id == current_user.id))
    if place is not None:
        return redirect(url_for("enterprises.profile"), code=303)
    find = FindFirmForm(formdata=request.args)
    if "code" not in request.args:
        return render_template("enterprises/find_firm.html", form=FindFirmForm(formdata=None))
    if not find.validate():
        return render_template("enterprises/find_firm.html", form=find), 422
    enterprise = operations.find_enterprise(find.code.data)
    if enterprise is None:
        return _register_firm(find.code.data)
    return _join_firm(enterprise)


def _join_firm(enterprise: Enterprise) -> Any:
    form = JoinForm(role=_wanted_role())
    if form.validate_on_submit():
        try:
            operations.request_to_join(enterprise, current_user, form.role.data)
            db.session.commit()
            return redirect(url_for("enterprises.profile"), code=303)
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    page = render_template(
        "enterprises/join.html", form=form, enterprise=enterprise, member=_first_member(enterprise)
    )
    return page, 422 if form.is_submitted() else 200


def _register_firm(code: str) -> Any:
    form = FirmForm(role=_wanted_role())
    if form.validate_on_submit():
        try:
            operations.register_enterprise(code, form.firm_name.data, current_user, form.role.data)
            db.session.commit()
            return _to_profile("单位登记好了。补全资料以后就能申报。")
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    status = 422 if form.is_submitted() else 200
    return render_template("enterprises/new_firm.html", form=form, code=code), status


def _wanted_role() -> str:
    role = request.args.get("role", "")
    return role if role in MEMBER_ROLES else "applicant"


def _first_member(enterprise: Enterprise) -> str | None:
    """The masked name of who can admit, for strangers."""
    member = db.session.scalar(
        select(Membership)
        .where(Membership.enterprise_id == enterprise.id, Membership.admitted_at.is_not(None))
        .order_by(Membership.id)
        .limit(1)
    )
    return rules.masked_name(member.user.name) if member else None


@bp.get("/enterprise")
@allow(*FIRM_ROLES)
def profile() -> Any:
    enterprise = _own()
    if enterprise is None:
        return _waiting()
    return render_template(
        "enterprises/profile.html",
        enterprise=enterprise,
        missing=rules.missing_facts({key: getattr(enterprise, key) for key in rules.NEEDED}),
        honours=_honour_rows(enterprise),
        exclusions=_exclusion_rows(enterprise.exclusions[-PAGE_EXCLUSIONS:]),
        sizes=SIZES,
        ties=TIES,
        people=_people(enterprise, admitted=True),
        requests=_count_requests(enterprise),
        events=_events(enterprise),
    )


def _waiting() -> Any:
    """A person without a firm: either a request waits, or the firm is still to be named."""
    place = db.session.scalar(select(Membership).where(Membership.user_id == current_user.id))
    if place is None:
        return _to_join()
    return render_template(
        "enterprises/waiting.html", place=place, member=_first_member(place.enterprise)
    )


@bp.post("/enterprise/withdraw-request")
@allow(*FIRM_ROLES)
def withdraw_request() -> Any:
    place = db.session.scalar(select(Membership).where(Membership.user_id == current_user.id))
    if place is None:
        return _to_join()
    operations.withdraw_request(place, current_user)
    db.session.commit()
    flash("加入申请撤回了。", "done")
    return _to_join()


def _honour_rows(enterprise: Enterprise) -> list[dict[str, Any]]:
    rows = []
    for honour in enterprise.honours:
        kind, words = rules.honour_state(honour.expires_on, today())
        rows.append(
            {"honour": honour, "name": honour_name(honour.kind), "kind": kind, "words": words}
        )
    return rows


def _people(enterprise: Enterprise, *, admitted: bool) -> list[dict[str, Any]]:
    state = Membership.admitted_at.is_not(None) if admitted else Membership.admitted_at.is_(None)
    places = db.session.scalars(
        select(Membership)
        .where(Membership.enterprise_id == enterprise.id, state)
        .order_by(Membership.id)
        .limit(PAGE_MEMBERS)
    )
    return [
        {
            "id": place.id,
            "name": place.user.name + ("（您）" if place.user_id == current_user.id else ""),
            "email": place.user.email,
            "role": MEMBER_ROLES[place.role],
            "since": place.admitted_at or place.requested_at,
        }
        for place in places
    ]


def _count_requests(enterprise: Enterprise) -> int:
    return (
        db.session.scalar(
            select(func.count(Membership.id)).where(
                Membership.enterprise_id == enterprise.id, Membership.admitted_at.is_(None)
            )
        )
        or 0
    )


def _events(enterprise: Enterprise) -> list[dict[str, Any]]:
    return [
        {
            "at": event.at,
            "title": rules.ACTIONS.get(event.action, event.action),
            "text": rules.event_text(event.action, event.facts),
            "who": event.actor_name,
        }
        for event in reversed(trail(enterprise, PAGE_EVENTS))
    ]


@bp.route("/enterprise/edit", methods=["GET", "POST"])
@allow(*FIRM_ROLES)
def edit() -> Any:
    enterprise = _own()
    if enterprise is None:
        return _to_join()
    form = ProfileForm(obj=enterprise)
    if form.validate_on_submit():
        facts = {name: value for name, value in form.data.items() if name != "csrf_token"}
        try:
            operations.update_profile(enterprise, current_user, **facts, today=today())
            db.session.commit()
            return _to_profile("单位资料存好了。")
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    status = 422 if form.is_submitted() else 200
    page = render_template(
        "enterprises/edit.html",
        form=form,
        credit_code=enterprise.credit_code,
        has_account=enterprise.account is not None,
    )
    return page, status


@bp.route("/enterprise/honours", methods=["GET", "POST"])
@allow(*FIRM_ROLES)
def honours() -> Any:
    enterprise = _own()
    if enterprise is None:
        return _to_join()
    form = HonourForm()
    if form.validate_on_submit() and (granted_on := form.granted_on.data):
        try:
            operations.add_honour(
                enterprise,
                current_user,
                form.kind.data,
                granted_on,
                form.expires_on.data,
            )
            db.session.commit()
            flash("称号添加好了。", "done")
            return redirect(url_for("enterprises.honours"), code=303)
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    status = 422 if form.is_submitted() else 200
    page = render_template("enterprises/honours.html", form=form, honours=_honour_rows(enterprise))
    return page, status


@bp.post("/enterprise/honours/<int:honour_id>/remove")
@allow(*FIRM_ROLES)
def remove_honour(honour_id: int) -> Any:
    enterprise = _own()
    honour = (
        next((h for h in enterprise.honours if h.id == honour_id), None) if enterprise else None
    )
    if honour is None:
        abort(404)
    operations.remove_honour(honour, current_user)
    db.session.commit()
    flash("称号删去了，留痕里能看到。", "done")
    return redirect(url_for("enterprises.honours"), code=303)


@bp.route("/enterprise/related", methods=["GET", "POST"])
@allow(*FIRM_ROLES)
def related() -> Any:
    """The firm's 关联方: sales to them are told apart in every check."""
    enterprise = _own()
    if enterprise is None:
        return _to_join()
    form = RelatedPartyForm()
    if form.validate_on_submit():
        try:
            operations.add_related_party(
                enterprise,
                current_user,
                form.credit_code.data,
                form.name.data,
                form.tie.data,
            )
            db.session.commit()
            flash("关联方添加好了。", "done")
            return redirect(url_for("enterprises.related"), code=303)
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    status = 422 if form.is_submitted() else 200
    page = render_template(
        "enterprises/related.html", form=form, parties=enterprise.related, ties=TIES
    )
    return page, status


@bp.post("/enterprise/related/<int:party_id>/remove")
@allow(*FIRM_ROLES)
def remove_related(party_id: int) -> Any:
    enterprise = _own()
    party = next((p for p in enterprise.related if p.id == party_id), None) if enterprise else None
    if party is None:
        abort(404)
    operations.remove_related_party(party, current_user)
    db.session.commit()
    flash("关联方删去了，留痕里能看到。", "done")
    return redirect(url_for("enterprises.related"), code=303)


def _exclusion_rows(exclusions: Iterable[Exclusion]) -> list[dict[str, Any]]:
    rows = []
    for exclusion in exclusions:
        kind, words = exclusion.standing(today())
        ground = GROUNDS[exclusion.ground]
        rows.append({"exclusion": exclusion, "ground": ground, "kind": kind, "words": words})
    return rows


@bp.route("/exclusions", methods=["GET", "POST"])
@allow("administrator")
def exclusions() -> Any:
    """Every ban on applying, newest first, and one more."""
    form, status = ExclusionForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            try:
                return _excluded(form)
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
    page = max(1, min(request.args.get("page", 1, int), 10_000))
    rows = db.session.scalars(
        select(Exclusion)
        .order_by(Exclusion.id.desc())
        .offset((page - 1) * PAGE_EXCLUSIONS)
        .limit(PAGE_EXCLUSIONS)
    )
    return render_template(
        "enterprises/exclusions.html",
        form=form,
        rows=_exclusion_rows(rows),
        page=page,
        per_page=PAGE_EXCLUSIONS,
        total=db.session.scalar(select(func.count(Exclusion.id))) or 0,
    ), status


def _excluded(form: ExclusionForm) -> Response:
    enterprise = operations.find_enterprise(form.credit_code.data)
    if enterprise is None:
        raise Refused("没有登记这个代码的单位。请对照决定文书", "credit_code", 422)
    since, until = form.since.data, form.until.data
    if since is None or until is None:
        abort(422)
    operations.exclude(
        enterprise,
        current_user,
        since=since,
        until=until,
        ground=form.ground.data,
        source=form.source.data,
    )
    db.session.commit()
    flash(f"记下了：{enterprise.name} 到 {until} 不能申报。", "done")
    return redirect(url_for("enterprises.exclusions"), code=303)


@bp.route("/exclusions/<int:exclusion_id>/lift", methods=["GET", "POST"])
@allow("administrator")
def lift_exclusion(exclusion_id: int) -> Any:
    exclusion = db.session.get(Exclusion, exclusion_id) if exclusion_id < 2**63 else None
    if exclusion is None or exclusion.lifted_at is not None:
        abort(404)
    form, status = LiftForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            operations.lift_exclusion(exclusion, current_user, form.reason.data)
            db.session.commit()
            flash(f"解除了 {exclusion.enterprise.name} 的禁止申报。", "done")
            return redirect(url_for("enterprises.exclusions"), code=303)
    row = _exclusion_rows([exclusion])[0]
    return render_template("enterprises/lift.html", form=form, row=row), status


@bp.route("/enterprise/account", methods=["GET", "POST"])
@allow(*FIRM_ROLES)
def account() -> Any:
    enterprise = _own()
    if enterprise is None:
        return _to_join()
    form = AccountForm(holder_name=enterprise.name)
    if form.validate_on_submit():
        try:
            operations.set_account(
                enterprise,
                current_user,
                form.bank_name.data,
                form.holder_name.data,
                form.number.data,
            )
            db.session.commit()
            return _to_profile("收款账户存好了，以后只显示首尾四位。")
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    status = 422 if form.is_submitted() else 200
    return render_template("enterprises/account.html", form=form, enterprise=enterprise), status


@bp.route("/enterprises/<int:enterprise_id>/account", methods=["GET", "POST"])
@allow("finance", *FIRM_ROLES)
def reveal(enterprise_id: int) -> Any:
    """Show the full number once, against a reason; every showing is in the firm's trail."""
    enterprise = db.session.get(Enterprise, enterprise_id) if enterprise_id < 2**63 else None
    own = _own()
    if enterprise is None or not (current_user.has_role("finance") or enterprise is own):
        abort(404)
    if enterprise.account is None:
        abort(404)
    form, number = RevealForm(), None
    if form.validate_on_submit():
        try:
            number = operations.reveal_account(enterprise, current_user, form.reason.data)
            db.session.commit()
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    page = render_template(
        "enterprises/reveal.html", form=form, enterprise=enterprise, number=number, own=own
    )
    status = 422 if form.is_submitted() and number is None else 200
    return page, status, {"Cache-Control": "no-store"}


@bp.get("/enterprise/members")
@allow(*FIRM_ROLES)
def members() -> Any:
    enterprise = _own()
    if enterprise is None:
        return _to_join()
    return render_template(
        "enterprises/members.html",
        enterprise=enterprise,
        people=_people(enterprise, admitted=True),
        requests=_people(enterprise, admitted=False),
    )


@bp.post("/enterprise/members/<int:membership_id>/admit")
@allow(*FIRM_ROLES)
def admit(membership_id: int) -> Any:
    membership = _request_of_own_firm(membership_id)
    name = membership.user.name
    operations.admit(membership, current_user)
    db.session.commit()
    flash(f"{name} 现在是本单位的{MEMBER_ROLES[membership.role]}。", "done")
    return redirect(url_for("enterprises.members"), code=303)


@bp.post("/enterprise/members/<int:membership_id>/refuse")
@allow(*FIRM_ROLES)
def refuse(membership_id: int) -> Any:
    membership = _request_of_own_firm(membership_id)
    name = membership.user.name
    operations.refuse_request(membership, current_user)
    db.session.commit()
    flash(f"没有同意 {name} 加入。", "done")
    return redirect(url_for("enterprises.members"), code=303)


def _request_of_own_firm(membership_id: int) -> Membership:
    enterprise = _own()
    membership = db.session.get(Membership, membership_id) if membership_id < 2**63 else None
    if enterprise is None or membership is None or membership.enterprise_id != enterprise.id:
        abort(404)
    return membership
