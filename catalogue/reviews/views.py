"""The queue, the formal check and the decision."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select
from wtforms.fields.choices import SelectChoice

from catalogue.accounts.access import allow, public
from catalogue.applications import operations as applications
from catalogue.applications.models import Application
from catalogue.applications.states import STATES
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.taxonomies import districts
from catalogue.errors import Refused
from catalogue.policies.document import SCHEMES, PolicyDocument
from catalogue.policies.operations import document_of
from catalogue.reviews import operations, overrides, queue, rules, viewing
from catalogue.reviews.forms import (
    COUNTS_AS,
    AnswerForm,
    OpinionForm,
    OverrideForm,
    ReasonForm,
    check_form,
    judgements,
    opinion_form,
    opinion_of,
)

bp = Blueprint("reviews", __name__)

PER_PAGE = 25
# What the buttons of a formal check ask for, and where the answer is confirmed.
CONFIRMED = {"return": "reviews.confirm_return", "reject": "reviews.confirm_reject"}


def _today() -> Any:
    return utc_now().astimezone(SHANGHAI).date()


def load(number: str) -> Application:
    """The application when this person may see it; 404 otherwise, existing or not."""
    application = db.session.scalar(select(Application).where(Application.number == number))
    if application is None or not application.visible_to(current_user):
        abort(404)
    return application


def _to(endpoint: str, application: Application) -> Any:
    return redirect(url_for(f"reviews.{endpoint}", number=application.number), code=303)


@bp.route("/reviews", endpoint="queue")
@allow("reviewer", "approver")
def show_queue() -> Any:
    own = queue.own_states(current_user)
    wanted = _wanted(own)
    page = request.args.get("page", 1, type=int)
    total = queue.count(wanted)
    if not 1 <= page <= max(1, -(-total // PER_PAGE)):
        abort(404)
    return render_template(
        "reviews/queue.html",
        rows=queue.page(wanted, page, PER_PAGE, _today()),
        wanted=wanted,
        state=request.args.get("state", ""),
        states=[(key, STATES[key].inside) for key in queue.OFFERED],
        schemes=SCHEMES,
        districts=districts(),
        waiting=queue.count(queue.Wanted(operations.WAITING)),
        to_confirm=queue.overrides_for(current_user),
        can_check=current_user.has_role("reviewer"),
        can_approve=current_user.has_role("approver"),
        page=page,
        per_page=PER_PAGE,
        total=total,
        page_url=lambda n: _queue_url(page=n if n > 1 else None),
        sort_url=lambda sort: _queue_url(sort=sort, page=None),
    )


def _wanted(own: tuple[str, ...]) -> queue.Wanted:
    state, sort = request.args.get("state", ""), request.args.get("sort", "submitted")
    scheme, district = request.args.get("scheme", ""), request.args.get("district", "")
    return queue.Wanted(
        states=(state,) if state in queue.OFFERED else own,
        scheme=scheme if scheme in SCHEMES else "",
        district=district if district in districts() else "",
        words=request.args.get("q", "").replace("\0", "").strip()[:100],
        sort=sort if sort in queue.SORTS else "submitted",
    )


def _queue_url(**changed: Any) -> str:
    kept = {
        name: request.args[name]
        for name in ("state", "scheme", "district", "q", "sort", "page")
        if request.args.get(name)
    }
    return url_for("reviews.queue", **{**kept, **changed})


@bp.post("/reviews/next")
@allow("reviewer")
def take_next() -> Any:
    application = operations.take_next(current_user)
    if application is None:
        flash("没有等待受理的申报。")
        return redirect(url_for("reviews.queue"), code=303)
    db.session.commit()
    return _to("formal_check", application)


@bp.post("/reviews/<number>/take")
@allow("reviewer")
def take(number: str) -> Any:
    application = load(number)
    operations.take(application, current_user)
    db.session.commit()
    return _to("formal_check", application)


@bp.get("/reviews/<number>")
@allow("reviewer", "approver")
def formal_check(number: str) -> Any:
    application = load(number)
    items = operations.items_of(application)
    sheet = operations.sheet_of(application)
    document = document_of(application.policy)
    view = _view(application, document)
    if request.headers.get("HX-Target") == "viewer" and view is not None:
        return render_template(
            "reviews/viewer.html",
            application=application,
            document=document,
            evidence=_evidence(application),
            view=view,
        )
    form = check_form(items, rules.fields_of(document), sheet)
    return _check_page(application, items, sheet, form, view=view)


def _view(application: Application, document: PolicyDocument) -> viewing.View | None:
    """The file that the address names (file, page), beside what was typed; 404 for another's."""
    if not request.args.get("file"):
        return None
    chosen, page = (request.args.get(n, d, type=int) for n, d in (("file", None), ("page", 1)))
    names = {material.id: material.name for material in document.materials}
    view = viewing.of(application, names, chosen, page or 0)
    if view is None:
        abort(404)
    return view


def _check_page(
    application: Application,
    items: list[rules.Item],
    sheet: dict[str, rules.Judgement],
    form: Any,
    faults: dict[str, str] | None = None,
    view: viewing.View | None = None,
) -> str:
    report = application.report
    told = operations.told_before(application)
    states = queue.own_states(current_user)
    return render_template(
        "reviews/formal_check.html",
        application=application,
        document=document_of(application.policy),
        report=report,
        ticked=[f for f in (report.findings if report else []) if f["result"] == rules.PASS],
        items=items,
        form=form,
        fields=rules.fields_of(document_of(application.policy)),
        tally=rules.tally(items, sheet, told),
        told=told,
        faults=faults or {},
        view=view,
        checking=application.state == "formal_check" and current_user.has_role("reviewer"),
        can_take=application.state in operations.WAITING and current_user.has_role("reviewer"),
        evidence=_evidence(application),
        verdicts=operations.verdicts_of(application),
        correction_days=rules.CORRECTION_WORKING_DAYS,
        neighbours=queue.neighbours(application, states),
        **_set_aside(application),
        **_clock(application),
    )


def _clock(application: Application) -> dict[str, Any]:
    (row,) = queue.rows([application], _today())
    return {key: row[key] for key in ("age", "promise", "deadline")}


def _evidence(application: Application) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for evidence in application.evidence:
        found.setdefault(evidence.material, []).append(evidence.document)
    return found


def _set_aside(application: Application) -> dict[str, Any]:
    standing = overrides.of([application.id]).get(application.id, [])
    return {
        "overrides": standing,
        "held": {s.override.rule for s in standing if s.state in ("waiting", "confirmed")},
        "remarks": applications.finding_remarks(application),
        "can_ask": current_user.has_role(operations.ASKED_AT.get(application.state, "")),
        "experts_problem": operations.why_not_conclude(application, current_user),
    }


@bp.route("/reviews/<number>/check", methods=["GET", "POST"])
@allow("reviewer")
def check(number: str) -> Any:
    """Keep the judgements, then do what the pressed button asks; a reload leads back."""
    application = load(number)
    if request.method != "POST":
        return _to("formal_check", application)
    items = operations.items_of(application)
    form = check_form(items, rules.fields_of(document_of(application.policy)), {})
    act = request.form.get("act", "save")
    if act not in ("save", "pass", "return", "reject"):
        abort(400)
    valid = form.validate_on_submit()
    sheet = judgements(form, items)
    if not valid:
        return _check_page(application, items, sheet, form), 422
    operations.judge(application, current_user, sheet)
    faults = _faults(act, rules.tally(items, sheet, operations.told_before(application)))
    if act == "pass" and not faults and (problem := overrides.why_not_pass(application)):
        faults = {"": problem}
    if faults:
        # What was judged so far is kept, although the act cannot be done.
        db.session.commit()
        return _check_page(application, items, sheet, form, faults), 422
    if act == "pass":
        operations.pass_formal(application, current_user, rules.record_of(items, sheet))
    db.session.commit()
    if act in CONFIRMED:
        return redirect(url_for(CONFIRMED[act], number=number), code=303)
    if act == "pass":
        flash(f"形式审查已通过，转{application.standing.public}。", "done")
        return redirect(url_for("reviews.queue"), code=303)
    flash("判断已存下。", "done")
    return _to("formal_check", application)


def _faults(act: str, tally: rules.Tally) -> dict[str, str]:
    """Why the act cannot be done with this sheet: item key (or empty) → words."""
    if act == "pass":
        if tally.to_correct:
            return {"": f"还有 {tally.to_correct} 项要补正，不能通过"}
        if tally.open:
            return {"": f"还有 {tally.open} 项没有判断，判完才能通过"}
    if act == "return":
        if not tally.to_correct:
            return {"": "没有选补正的项目，请先选要补正的项并写明怎样改"}
        return dict(tally.problems)
    return {}


def _ready_to_return(application: Application) -> list[dict[str, str]]:
    items = operations.items_of(application)
    sheet = operations.sheet_of(application)
    faults = _faults("return", rules.tally(items, sheet, operations.told_before(application)))
    if faults:
        raise Refused("；".join(faults.values()))
    labels = rules.fields_of(document_of(application.policy))
    return rules.correction_items(items, sheet, labels)


@bp.route("/reviews/<number>/return", methods=["GET", "POST"])
@allow("reviewer")
def confirm_return(number: str) -> Any:
    """The correction as the firm will read it, once more before it goes out."""
    application = load(number)
    if application.state != "formal_check":
        raise Refused(f"这件申报现在是“{application.standing.inside}”，不能发补正通知")
    faulted = _ready_to_return(application)
    if request.method == "POST":
        operations.return_for_correction(application, current_user, faulted)
        db.session.commit()
        flash(f"补正通知已发出，{len(faulted)} 处。", "done")
        return _to("formal_check", application)
    return render_template(
        "reviews/confirm_return.html",
        application=application,
        faulted=faulted,
        days=rules.CORRECTION_WORKING_DAYS,
        again=bool(application.corrections),
    )


@bp.route("/reviews/<number>/reject", methods=["GET", "POST"])
@allow("reviewer", "approver")
def confirm_reject(number: str) -> Any:
    return _with_reason(number, "reject", "不予通过", operations.reject)


@bp.route("/reviews/<number>/send-back", methods=["GET", "POST"])
@allow("reviewer", "approver")
def confirm_send_back(number: str) -> Any:
    return _with_reason(number, "send_back", "退回形式审查", operations.send_back)


CONSEQUENCES = {
    "reject": (
        "申报到此为止，不能恢复；单位会收到结论和理由。",
        "同一产品在本批次可以另行申报。",
    ),
    "send_back": (
        "回到形式审查，原来的形式审查意见不再有效。",
        "形式审查通过后再送审定。",
    ),
}


STANDS = {
    "reject": ("formal_check", "expert_review", "committee"),
    "send_back": ("expert_review", "committee"),
}


def _with_reason(number: str, act: str, label: str, verb: Any) -> Any:
    application = load(number)
    if application.state not in STANDS[act]:
        raise Refused(f"这件申报现在是“{application.standing.inside}”，不能这样办")
    form = ReasonForm()
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            verb(application, current_user, form.reason.data)
            db.session.commit()
            flash(f"{application.number} 已{label}。", "done")
            return redirect(url_for("reviews.queue"), code=303)
    return render_template(
        "reviews/with_reason.html",
        application=application,
        form=form,
        label=label,
        consequences=CONSEQUENCES[act],
        back={"formal_check": "formal_check", "expert_review": "experts"}.get(
            application.state, "decide"
        ),
    ), status


@bp.route("/reviews/<number>/experts", methods=["GET", "POST"])
@allow("reviewer")
def experts(number: str) -> Any:
    """The experts' opinion, as the officer who called them records it."""
    application = load(number)
    wanted = operations.criteria_of(application)
    form = opinion_form(wanted)
    status = 200
    if request.method == "POST":
        status = 422
        valid = form.validate_on_submit()
        opinion = opinion_of(form, wanted)
        for field, words in rules.opinion_faults(opinion, wanted, _today()).items():
            if not form[field].errors:
                form[field].errors = [words]
                valid = False
        if valid:
            operations.conclude_review(application, current_user, opinion, _today())
            db.session.commit()
            flash(f"{application.number} 的专家评审意见已登记，转审定人。", "done")
            return redirect(url_for("reviews.queue"), code=303)
    return render_template(
        "reviews/experts.html",
        application=application,
        document=document_of(application.policy),
        criteria=wanted,
        form=form,
        report=application.report,
        evidence=_evidence(application),
        verdicts=operations.verdicts_of(application),
        problem=operations.why_not_conclude(application, current_user),
        today=_today(),
        remarks=applications.finding_remarks(application),
        neighbours=queue.neighbours(application, ("expert_review",)),
        **_clock(application),
    ), status


@bp.route("/reviews/<number>/findings/<rule>/set-aside", methods=["GET", "POST"])
@allow("reviewer", "approver")
def ask_override(number: str, rule: str) -> Any:
    """Asking that a finding be set aside; it counts once another person has confirmed it."""
    application = load(number)
    finding = rules.finding_of(application.report.findings if application.report else [], rule)
    if finding is None:
        abort(404)
    form = OverrideForm()
    form.counts_as.choices = [
        SelectChoice(*pair) for pair in COUNTS_AS.items() if pair[0] != finding["result"]
    ]
    if request.method == "GET" and len(form.counts_as.choices) == 1:
        form.counts_as.data = form.counts_as.choices[0].value
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            try:
                operations.ask_override(
                    application, current_user, rule, form.counts_as.data or "", form.reason.data
                )
            except Refused as refused:
                if refused.field not in ("reason", "counts_as"):
                    raise
                form.refuse(refused)
            else:
                db.session.commit()
                flash("已申请不予采用，等另一人确认。", "done")
                return _to(_stands_at(application), application)
    return render_template(
        "reviews/ask_override.html",
        application=application,
        finding=finding,
        form=form,
        back=_stands_at(application),
    ), status


def _stands_at(application: Application) -> str:
    """The page of the stage, as far as this person may open it."""
    committee = application.state == "committee" and current_user.has_role("approver")
    return "decide" if committee else "formal_check"


@bp.route("/reviews/<number>/set-aside/<int:override_id>", methods=["GET", "POST"])
@allow("reviewer", "approver")
def answer_override(number: str, override_id: int) -> Any:
    """The second person reads the finding and the reason, and confirms or refuses."""
    application = load(number)
    found = overrides.of([application.id]).get(application.id, [])
    standing = next((s for s in found if s.override.id == override_id), None)
    if standing is None:
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
                operations.answer_override(
                    standing.override, current_user, form.answer.data, confirmed=act == "confirm"
                )
            except Refused as refused:
                if refused.field != "answer":
                    raise
                form.refuse(refused)
            else:
                db.session.commit()
                flash("已确认不予采用。" if act == "confirm" else "已答复，不同意。", "done")
                return _to(_stands_at(application), application)
    return render_template(
        "reviews/answer_override.html",
        application=application,
        standing=standing,
        finding=rules.finding_of(standing.override.report.findings, standing.override.rule),
        form=form,
        own=standing.override.asked_by_id == current_user.id,
        back=_stands_at(application),
    ), status


@bp.get("/overrides", endpoint="overrides")
@public
def show_overrides() -> Any:
    """How often each rule's finding was set aside, version by version."""
    versions = overrides.figures()
    return render_template(
        "reviews/overrides.html", versions=versions, schemes=SCHEMES, today=_today()
    )


@bp.get("/reviews/<number>/decision")
@allow("approver")
def decide(number: str) -> Any:
    application = load(number)
    return render_template(
        "reviews/decision.html",
        application=application,
        document=document_of(application.policy),
        report=application.report,
        evidence=_evidence(application),
        verdicts=operations.verdicts_of(application),
        problem=operations.why_not_approve(application, current_user),
        values=rules.VALUES,
        neighbours=queue.neighbours(application, ("committee",)),
        **_set_aside(application),
        **_clock(application),
    )


@bp.route("/reviews/approval", methods=["GET", "POST"])
@allow("approver")
def approval() -> Any:
    """The chosen applications with their count and sum, before they go on one notice."""
    chosen = _chosen()
    problems = operations.refusals(chosen, current_user)
    mixed = len({application.round_id for application in chosen}) > 1
    form = OpinionForm()
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            notice = operations.approve(chosen, current_user, form.reason.data)
            db.session.commit()
            flash(f"{len(chosen)} 件已审定通过，{notice.number}已发布。", "done")
            return redirect(url_for("notices.show", notice_id=notice.id), code=303)
    return render_template(
        "reviews/approval.html",
        rows=queue.rows(chosen, _today()),
        problems=problems,
        mixed=mixed,
        form=form,
        quantity=document_of(chosen[0].policy).notice_working_days,
    ), status


def _chosen() -> list[Application]:
    numbers = list(dict.fromkeys(request.values.getlist("number")))
    if not numbers:
        raise Refused("还没有选申报，请在队列里勾选要审定的件", status=422)
    if len(numbers) > operations.MAX_TOGETHER:
        raise Refused(f"一次最多 {operations.MAX_TOGETHER} 件，请分批办理", status=422)
    found = db.session.scalars(
        select(Application).where(Application.number.in_(numbers)).order_by(Application.id)
    ).all()
    if len(found) != len(numbers) or not all(a.visible_to(current_user) for a in found):
        abort(404)
    return list(found)
