"""What fits my firm, and carrying the answers of a self-check into an application."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, RadioField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from catalogue.accounts.access import allow
from catalogue.applications import fitting, operations
from catalogue.applications.forms import kept_value
from catalogue.applications.models import Application
from catalogue.applications.places import place_of
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import enterprise_id_of
from catalogue.errors import Refused
from catalogue.forms import PostedForm
from catalogue.policies import carrying, questionnaire
from catalogue.policies.document import PolicyDocument
from catalogue.policies.models import Round
from catalogue.policies.operations import document_of, open_rounds, version_for
from catalogue.products.models import Product

bp = Blueprint("fitting", __name__)

MOST_TARGETS = 40
STALE = "链接已失效或不完整，里面的答案打不开。请回自测页再算一次"


@bp.get("/fits")
@allow("applicant", "signatory")
def fits() -> Any:
    enterprise_id = enterprise_id_of(current_user)
    rounds: list[fitting.RoundFits] = []
    if enterprise_id is not None:
        rounds = fitting.fits_of(fitting.firm_of(enterprise_id), utc_now())
    return render_template(
        "applications/fits.html",
        rounds=rounds,
        firm=enterprise_id,
        most=fitting.MOST_PRODUCTS,
    )


def nearest_of(application: Application) -> dict[str, Any]:
    """What templates show of the nearest way: the way, and where a draft can take each step."""
    way = fitting.way_of(application)
    if way is None or application.state not in ("draft", "signing", "ineligible"):
        return {"way": None, "links": {}}
    links = {}
    for change in way.firm:
        place = place_of(change.step.place)
        if place is not None and application.state == "draft":
            room = place.endpoint.partition(".")[0]
            subject: dict[str, Any] = {}
            if room == "applications":
                subject = {"number": application.number}
            elif room == "products":
                subject = {"product_id": application.product_id}
            links[change.place] = url_for(place.endpoint, **subject)
    return {"way": way, "links": links}


class CarryForm(PostedForm):
    """Into which application the answers go; the token comes along."""

    answers = HiddenField()
    target = RadioField("填进哪件申报", [InputRequired("请选一件申报或一个产品")])


@bp.route("/applications/carry", methods=["GET", "POST"])
@allow("applicant", "signatory")
def carry() -> Any:
    token = request.values.get("answers", "")
    try:
        scheme, pairs = carrying.opened(token)
    except carrying.NotCarried as error:
        raise Refused(STALE, status=422) from error
    form, status = CarryForm(answers=token), 200
    targets = _targets(scheme)
    form.target.choices = [SelectChoice(key, label) for key, (label, _, _) in targets.items()]
    answered = _answered(scheme, pairs)
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            _, opened, existing = targets[form.target.data]
            try:
                application = existing or operations.start(
                    opened, _product(form.target.data), current_user
                )
                filled = _fill(application, pairs)
                db.session.commit()
                flash(f"已填入 {filled} 项，请逐项核对。单位和产品资料没有改动。", "done")
                return redirect(
                    url_for("applications.task_list", number=application.number), code=303
                )
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
    return render_template(
        "applications/fits_carry.html", form=form, scheme=scheme, answered=answered, targets=targets
    ), status


Target = tuple[str, Round, Application | None]


def _targets(scheme: str) -> dict[str, Target]:
    """Drafts that take answers, and products for which one can be started, by the form's key."""
    rounds = [opened for opened in open_rounds() if opened.scheme == scheme][:3]
    enterprise_id = enterprise_id_of(current_user)
    if not rounds or enterprise_id is None:
        return {}
    kind = operations.KIND_OF_SCHEME.get(scheme)
    products = [p for p in fitting.products_of(enterprise_id) if kind in (None, p.kind)]
    live = {
        (a.round_id, a.product_id): a
        for a in db.session.scalars(
            select(Application).where(
                Application.enterprise_id == enterprise_id,
                Application.round_id.in_([opened.id for opened in rounds]),
                Application.state.not_in(fitting.NOT_LIVE),
            )
        )
    }
    found: dict[str, Target] = {}
    for opened in rounds:
        for product in products:
            existing = live.get((opened.id, product.id))
            if existing is not None and existing.state != "draft":
                continue
            told = f"草稿 {existing.number}，只补还空着的" if existing else "新起一件"
            label = f"{product.name}　{product.model}（{opened.title}，{told}）"
            found[f"{opened.id}-{product.id}"] = (label, opened, existing)
    return dict(list(found.items())[:MOST_TARGETS])


def _product(key: str) -> Product:
    """The product of a key that stood among the choices."""
    return db.session.get_one(Product, int(key.partition("-")[2]))


def _form(document: PolicyDocument, pairs: carrying.Pairs) -> Any:
    form = questionnaire.posted(MultiDict(pairs), questionnaire.questions(document))
    questionnaire.valid(form)
    return form


def _answers(document: PolicyDocument, form: Any) -> dict[str, Any]:
    """Those answers that the policy's own questions ask, as an application keeps them."""
    found = {}
    for answer in document.answers:
        root = "declarations" if answer.type == "boolean" else "answers"
        field = getattr(form, f"{root}_{answer.id}", None)
        value = None if field is None or field.errors else kept_value(answer.type, field.data)
        if value is not None:
            found[answer.id] = value
    return found


def _rows(form: Any) -> dict[int, dict[str, str]]:
    """The contracts as half-filled rows: number and buyer are still to be typed."""
    rows: dict[int, dict[str, str]] = {}
    for entry in getattr(form, "contracts", ()):
        typed = {name: value for name, value in questionnaire.texts(entry.form) if value}
        typed.pop("buyer_related", None)
        if typed and not entry.form.errors:
            rows[len(rows) + 1] = typed
    return rows


def _fill(application: Application, pairs: carrying.Pairs) -> int:
    """Fill what is still empty; returns how many answers and contracts it took."""
    document = document_of(application.policy)
    form = _form(document, pairs)
    answers = {
        name: value
        for name, value in _answers(document, form).items()
        if application.answers.get(name) in (None, "")
    }
    if answers:
        operations.save_answers(application, answers, current_user)
    rows = {} if application.contracts or application.typed.get("contracts") else _rows(form)
    if rows and document.contracts is not None:
        operations.save_contracts(application, [], current_user, typed=rows)
    return len(answers) + len(rows)


def _answered(scheme: str, pairs: carrying.Pairs) -> dict[str, list[tuple[str, str]]]:
    """What would be filled, and what stays behind because profile and product say it."""
    policy = next((o.policy for o in open_rounds() if o.scheme == scheme), None)
    policy = policy or version_for(scheme, utc_now().astimezone(SHANGHAI).date())
    if policy is None:
        raise Refused("这个事项现在没有规则，答案带不过去", status=422)
    document = document_of(policy)
    form = _form(document, pairs)
    told: dict[str, list[tuple[str, str]]] = {"filled": [], "behind": [], "contracts": []}
    for field in form:
        root = field.short_name.partition("_")[0]
        if root == "contracts":
            told["contracts"] = [
                (f"合同 {at}", "　".join(row.values())) for at, row in _rows(form).items()
            ]
        elif root == "patents":
            continue
        elif words := questionnaire.words_of(field):
            place = "filled" if root in ("declarations", "answers") else "behind"
            told[place].append((field.label.text, words))
    return told
