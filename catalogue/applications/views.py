"""From an empty form to a receipt: the pages of one firm's applications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import func, select

from catalogue.accounts.access import allow
from catalogue.applications import downloads, drafts, fitting_views, operations, states
from catalogue.applications.forms import (
    DeclarationForm,
    ReasonForm,
    StartForm,
    UploadForm,
    answers_form,
    contracts_form,
    field_words,
    questions,
    read_answers,
    read_contracts,
    row_data,
)
from catalogue.applications.models import Application, Evidence
from catalogue.applications.places import Place, linked
from catalogue.applications.progress import steps_of
from catalogue.database import db, utc_now
from catalogue.enterprises.models import enterprise_id_of
from catalogue.errors import Refused
from catalogue.money import money_text
from catalogue.policies.models import Round
from catalogue.policies.operations import document_of
from catalogue.products.models import Product

bp = Blueprint("applications", __name__)
bp.register_blueprint(downloads.bp)
bp.register_blueprint(fitting_views.bp)

PER_PAGE = 20


def own_application(number: str) -> Application:
    """The application of the viewer's own firm; 404 for all others, existing or not."""
    application = db.session.scalar(select(Application).where(Application.number == number))
    if application is None or application.enterprise_id != enterprise_id_of(current_user):
        abort(404)
    return application


def to(endpoint: str, application: Application, **values: Any) -> Any:
    """See other: a page of this application."""
    return redirect(url_for(f"applications.{endpoint}", number=application.number, **values), 303)


@bp.get("/applications")
@allow("applicant", "signatory")
def index() -> Any:
    page = max(1, min(request.args.get("page", 1, int), 500))
    mine = Application.enterprise_id == enterprise_id_of(current_user)
    total = db.session.scalar(select(func.count(Application.id)).where(mine)) or 0
    rows = db.session.scalars(
        select(Application)
        .where(mine)
        .order_by(Application.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    ).all()
    return render_template(
        "applications/index.html", rows=rows, page=page, per_page=PER_PAGE, total=total
    )


@bp.route("/applications/new", methods=["GET", "POST"])
@allow("applicant", "signatory")
def new() -> Any:
    opened = db.session.get(Round, request.args.get("round_id", 0, int)) or abort(404)
    firm = enterprise_id_of(current_user)
    products = db.session.scalars(
        select(Product).where(Product.enterprise_id == firm).order_by(Product.id).limit(200)
    ).all()
    kind = operations.KIND_OF_SCHEME.get(opened.policy.scheme)
    fitting = [product for product in products if kind in (None, product.kind)]
    form = StartForm()
    form.product.choices = [(p.id, f"{p.name}　{p.model}") for p in fitting]
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            product = next(p for p in fitting if p.id == form.product.data)
            try:
                application = operations.start(opened, product, current_user)
                db.session.commit()
                return to("task_list", application)
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
    return render_template(
        "applications/new.html", form=form, opened=opened, kind=kind, products=fitting
    ), status


@bp.get("/applications/<number>")
@allow("applicant", "signatory")
def task_list(number: str) -> Any:
    application = own_application(number)
    document = document_of(application.policy)
    return render_template(
        "applications/task_list.html",
        remarks=operations.finding_remarks(application),
        findings=_findings(application),
        **_way_back(application),
        application=application,
        document=document,
        sections=_sections(application, document),
        missing=operations.missing_items(application),
        steps=steps_of(application),
        moves=operations.open_moves(application, current_user),
        closed=utc_now() > application.round.closes_at,
    )


def _sections(application: Application, document: Any) -> list[dict[str, Any]]:
    missing = {item["section"] for item in operations.missing_items(application)}
    correction = application.open_correction

    def section(key: str, label: str, field: str, hint: str) -> dict[str, Any]:
        editable = application.state == "draft" or (
            application.state == "correcting"
            and correction is not None
            and any(item["field"].startswith(field) for item in correction.items)
        )
        kind, status = ("plain", "要补")
        if key not in missing:
            kind, status = "ok", "已填"
        if application.state == "correcting":
            kind, status = ("waiting", "要补正") if editable else ("plain", "不用动")
        url = url_for(f"applications.{key}", number=application.number) if editable else None
        return {"label": label, "url": url, "hint": hint, "kind": kind, "status": status}

    sections = []
    if document.answers:
        sections.append(
            section("answers", "申报内容", "answers.", f"{len(document.answers)} 个问题")
        )
    if document.contracts:
        sections.append(
            section("contracts", "合同与到账", "contracts", f"已填 {len(application.contracts)} 份")
        )
    given = {evidence.material for evidence in application.evidence}
    sections.append(
        section(
            "materials", "材料", "material.", f"{len(document.materials)} 项，已附 {len(given)} 项"
        )
    )
    return sections


def _findings(application: Application) -> list[dict[str, Any]]:
    """The findings of the newest check, with the ways to what they read."""
    report = application.report
    return _linked(application, report.findings) if report else []


def _linked(application: Application, found: list[Any]) -> list[dict[str, Any]]:
    """Findings with links: to where a draft can be changed, else to where it can be read."""
    of: dict[str, dict[str, Any]] = {
        "applications": {"number": application.number},
        "products": {"product_id": application.product_id},
        "enterprises": {},
    }
    draft = application.state == "draft"

    def address(place: Place) -> str:
        endpoint = place.endpoint if draft else place.reading
        anchor = place.anchor if draft and place.anchor else None
        return url_for(endpoint, _anchor=anchor, **of[endpoint.split(".")[0]])

    return [linked(finding, address) for finding in found]


def _open_answers(application: Application) -> set[str] | None:
    if application.state == "draft":
        return None
    correction = application.open_correction
    if correction is None:
        raise Refused(f"这件申报现在是“{application.standing.inside}”，不能改动内容")
    prefix = "answers."
    return {
        i["field"].removeprefix(prefix) for i in correction.items if i["field"].startswith(prefix)
    }


def _notes(application: Application) -> dict[str, str]:
    correction = application.open_correction
    return {item["field"]: item["note"] for item in correction.items} if correction else {}


@bp.route("/applications/<number>/answers", methods=["GET", "POST"])
@allow("applicant", "signatory")
def answers(number: str) -> Any:
    """The policy's questions; a faulty answer keeps nobody from saving the others."""
    application = own_application(number)
    document = document_of(application.policy)
    only, conflicts = _open_answers(application), {}
    form = answers_form(document, application.answers, application.typed.get("answers", {}), only)
    if request.method == "GET":
        return _answers_page(
            application, form, drafts.seen(operations.answers_content(application))
        )
    good, carried = form.validate(), request.form.get("seen")
    kept, typed = read_answers(document, form)
    refused = _save(
        lambda: operations.save_answers(application, kept, current_user, typed=typed, seen=carried)
    )
    seen = drafts.seen(drafts.content(kept, typed))
    if request.form.get("autosave"):
        return _saved_line(None if refused else application.saved_at, len(typed), seen)
    if refused is None and good:
        flash("已存。", "done")
        return to("task_list", application)
    application = own_application(number)
    if isinstance(refused, drafts.Conflict):
        conflicts = _stored_answers(application, document, only, refused.fields)
        stored = operations.answers_content(application)
        seen = drafts.seen_again(carried or "", stored, refused.fields)
    elif refused is not None:
        form.form_errors.append(refused.reason)
    return _answers_page(application, form, seen, conflicts), refused.status if refused else 422


def _answers_page(
    application: Application, form: Any, seen: str, conflicts: dict[str, str] | None = None
) -> str:
    document = document_of(application.policy)
    return render_template(
        "applications/answers.html",
        application=application,
        document=document,
        form=form,
        questions=questions(document, form),
        seen=seen,
        conflicts=conflicts or {},
        notes=_notes(application),
    )


def _save(verb: Callable[[], None]) -> Refused | None:
    """Do one verb and commit; or nothing, and why."""
    try:
        verb()
        db.session.commit()
    except Refused as refused:
        db.session.rollback()
        return refused
    return None


def _stored_answers(
    application: Application, document: Any, only: set[str] | None, fields: frozenset[str]
) -> dict[str, str]:
    """What the portal holds now of these questions, in words."""
    with_nothing_posted = answers_form(
        document, application.answers, application.typed.get("answers", {}), only, posted=False
    )
    return {
        answer.id: field_words(field)
        for answer, field in questions(document, with_nothing_posted)
        if answer.id in fields
    }


def _saved_line(at: datetime | None, faulty: int, seen: str) -> str:
    """The line that tells of a quiet save, with what the page now shows; None was not saved."""
    return render_template("applications/saved.html", at=at, faulty=faulty, seen=seen)


@bp.route("/applications/<number>/contracts", methods=["GET", "POST"])
@allow("applicant", "signatory")
def contracts(number: str) -> Any:
    """The contracts; a faulty row keeps nobody from saving the others."""
    application = own_application(number)
    document = document_of(application.policy)
    if document.contracts is None:
        abort(404)
    form, conflicts = contracts_form(document, _contract_rows(application)), {}
    if request.method == "GET":
        seen = drafts.seen(operations.contracts_content(application))
        return _contracts_page(application, form, seen)
    good, carried = form.validate() & _distinct(form), request.form.get("seen")
    rows, typed = read_contracts(form)
    refused = _save(
        lambda: operations.save_contracts(
            application, rows, current_user, typed=typed, seen=carried
        )
    )
    seen = drafts.seen(operations.contracts_posted(application, rows, typed))
    if request.form.get("autosave"):
        return _saved_line(None if refused else application.saved_at, len(typed), seen)
    if refused is None and request.form.get("more"):
        if len(form.rows) < document.contracts.max:
            form.rows.append_entry()
        return _contracts_page(application, form, seen)
    if refused is None and good:
        flash("已存。", "done")
        return to("task_list", application)
    application = own_application(number)
    if isinstance(refused, drafts.Conflict):
        conflicts = _stored_contracts(application, refused.fields)
        stored = operations.contracts_content(application)
        seen = drafts.seen_again(carried or "", stored, refused.fields)
    elif refused is not None:
        form.form_errors.append(refused.reason)
    return _contracts_page(application, form, seen, conflicts), refused.status if refused else 422


def _contracts_page(
    application: Application, form: Any, seen: str, conflicts: dict[int, str] | None = None
) -> str:
    return render_template(
        "applications/contracts.html",
        application=application,
        document=document_of(application.policy),
        form=form,
        seen=seen,
        conflicts=conflicts or {},
        notes=_notes(application),
    )


def _distinct(form: Any) -> bool:
    """Whether every contract number stands once; a later row with the same is at fault."""
    given: set[str] = set()
    good = True
    for entry in form.rows:
        number = entry.form.number
        if entry.form.empty or not number.data:
            continue
        if number.data in given:
            number.errors = [*number.errors, "合同编号重复了，每份合同只填一次"]
            good = False
        given.add(number.data)
    return good


def _stored_contracts(application: Application, rows: frozenset[str]) -> dict[int, str]:
    """What the portal holds now of these rows, in words."""
    held = {
        contract.position: f"{contract.number}　{contract.buyer_name}　"
        f"签订 {contract.signed_on}　{money_text(contract.amount_fen)} 元"
        for contract in application.contracts
    }
    typed = application.typed.get("contracts", {})
    held |= {int(at): "　".join(row.values()) for at, row in typed.items()}
    return {int(at): held.get(int(at), "空行") for at in rows}


def _contract_rows(application: Application) -> dict[int, dict[str, Any]]:
    document = document_of(application.policy)
    rows: dict[int, dict[str, Any]] = {
        contract.position: {"kept": row_data(document, contract)}
        for contract in application.contracts
    }
    typed = application.typed.get("contracts", {})
    return rows | {int(at): {"typed": row} for at, row in typed.items()}


@bp.get("/applications/<number>/materials")
@allow("applicant", "signatory")
def materials(number: str) -> Any:
    return _materials_page(own_application(number), UploadForm(formdata=None), None), 200


def _materials_page(application: Application, form: Any, material: str | None) -> str:
    document = document_of(application.policy)
    given: dict[str, list[Evidence]] = {}
    for evidence in application.evidence:
        given.setdefault(evidence.material, []).append(evidence)
    correction = application.open_correction
    editable = {
        m.id
        for m in document.materials
        if application.state == "draft" or (correction and correction.allows(f"material.{m.id}"))
    }
    return render_template(
        "applications/materials.html",
        application=application,
        document=document,
        given=given,
        editable=editable,
        form=form,
        failed=material,
        notes=_notes(application),
    )


@bp.post("/applications/<number>/materials/<material>")
@allow("applicant", "signatory")
def upload(number: str, material: str) -> Any:
    application = own_application(number)
    form = UploadForm()
    status = 422
    if form.validate_on_submit():
        file = form.file.data
        try:
            _, remark = operations.add_evidence(
                application, material, file.stream, file.filename, current_user
            )
            db.session.commit()
            flash(f"已收到“{file.filename}”。" + (f"{remark}。" if remark else ""), "done")
            return to("materials", application, _anchor=material)
        except Refused as refused:
            db.session.rollback()
            application = own_application(number)
            form.file.errors = [refused.reason]
            status = refused.status
    return _materials_page(application, form, material), status


@bp.post("/applications/<number>/evidence/<int:evidence_id>/remove")
@allow("applicant", "signatory")
def remove_evidence(number: str, evidence_id: int) -> Any:
    application = own_application(number)
    evidence = next((e for e in application.evidence if e.id == evidence_id), None) or abort(404)
    operations.remove_evidence(application, evidence, current_user)
    db.session.commit()
    flash("已从申报中撤下。文件仍存在单位材料里。", "done")
    return to("materials", application, _anchor=evidence.material)


@bp.get("/applications/<number>/check")
@allow("applicant", "signatory")
def check(number: str) -> Any:
    return _check_page(own_application(number), DeclarationForm(formdata=None)), 200


def _check_page(application: Application, form: Any) -> str:
    document = document_of(application.policy)
    report = operations.preview(application)
    return render_template(
        "applications/check.html",
        application=application,
        document=document,
        findings=_linked(application, [asdict(finding) for finding in report.findings]),
        **fitting_views.nearest_of(application),
        lines=[asdict(line) for line in report.worksheet],
        amount_fen=report.amount_fen,
        missing=operations.missing_items(application),
        moves={move.action: move for move in operations.open_moves(application, current_user)},
        form=form,
        closed=utc_now() > application.round.closes_at,
        checked_at=utc_now(),
        needs_signing="signing" in document.stages,
    )


@bp.post("/applications/<number>/submit")
@allow("applicant", "signatory")
def submit(number: str) -> Any:
    application = own_application(number)
    form = DeclarationForm()
    if not form.validate_on_submit():
        return _check_page(application, form), 422
    if application.submitted_at is not None and application.state == "submitted":
        return to("receipt", application)
    try:
        operations.submit(application, current_user)
        db.session.commit()
    except Refused as refused:
        db.session.rollback()
        application = own_application(number)
        form.form_errors.append(refused.reason)
        return _check_page(application, form), refused.status
    return to("receipt", application)


@bp.get("/applications/<number>/receipt")
@allow("applicant", "signatory")
def receipt(number: str) -> Any:
    application = own_application(number)
    if application.receipt_number is None:
        abort(404)
    return render_template(
        "applications/receipt.html",
        application=application,
        report=application.report,
        **_way_back(application),
        findings=_findings(application),
        remarks=operations.finding_remarks(application),
    )


@bp.get("/applications/<number>/findings")
@allow("applicant", "signatory")
def findings(number: str) -> Any:
    """The findings alone; the receipt page asks for it until the check is done."""
    application = own_application(number)
    return render_template(
        "applications/findings.html",
        application=application,
        report=application.report,
        **_way_back(application),
        findings=_findings(application),
        remarks=operations.finding_remarks(application),
    )


def _way_back(application: Application) -> dict[str, Any]:
    """The nearest way, where the machine said no."""
    return fitting_views.nearest_of(application) if application.state == "ineligible" else {}


@bp.post("/applications/<number>/send-for-signing")
@allow("applicant")
def send_for_signing(number: str) -> Any:
    application = own_application(number)
    operations.send_for_signing(application, current_user)
    db.session.commit()
    flash("已送签章人。签章人签章并收到回执号，才算提交。", "done")
    return to("task_list", application)


@bp.post("/applications/<number>/correct")
@allow("applicant", "signatory")
def correct(number: str) -> Any:
    application = own_application(number)
    operations.correct(application, current_user)
    db.session.commit()
    flash("补正已交回，审查人只看改过的地方。", "done")
    return to("task_list", application)


@bp.post("/applications/<number>/reopen")
@allow("applicant", "signatory")
def reopen(number: str) -> Any:
    application = own_application(number)
    operations.advance(application, "reopen", current_user)
    db.session.commit()
    flash("已转回草稿，改好后再提交。", "done")
    return to("task_list", application)


REASONED = {
    "withdraw": ("撤回申报", ["撤回后本件不再审查。", "本批次没有截止的，可以另起一件再报。"]),
    "contest": ("请人工复核", ["机器的核验结果会连同您的理由交给审查员。"]),
    "send_back": ("退回经办人", ["退回后由经办人修改，再送您签章。"]),
}


@bp.route(
    "/applications/<number>/<any(withdraw,contest,send_back):action>", methods=["GET", "POST"]
)
@allow("applicant", "signatory")
def act_with_reason(number: str, action: str) -> Any:
    application = own_application(number)
    form, status = ReasonForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            operations.advance(application, action, current_user, form.reason.data)
            db.session.commit()
            flash(f"{REASONED[action][0]}已办。", "done")
            return to("task_list", application)
    elif action not in {m.action for m in states.moves_from(application.state, current_user.roles)}:
        raise Refused(f"这件申报现在是“{application.standing.inside}”，不能这样办")
    title, consequences = REASONED[action]
    return render_template(
        "applications/act.html",
        application=application,
        form=form,
        action=action,
        title=title,
        consequences=consequences,
    ), status
