"""The firm's products: the list, one product, and the form with its rows."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from catalogue.accounts.access import allow
from catalogue.audit.operations import trail
from catalogue.database import db
from catalogue.enterprises.models import Enterprise, enterprise_id_of, membership_of
from catalogue.errors import Refused
from catalogue.products import operations
from catalogue.products.forms import BLANK_ROWS, ProductForm, form_of
from catalogue.products.models import KINDS, PATENT_KINDS, Product

bp = Blueprint("products", __name__)

PER_PAGE = 20
MAX_PAGE = 10_000
FIRM_ROLES = ("applicant", "signatory")
ROWS = ("specifications", "patents")
EVENTS = {"product.create": "登记产品", "product.update": "更改产品"}


def _own() -> Enterprise | None:
    place = membership_of(current_user)
    return place.enterprise if place else None


def _to_join() -> Response:
    return redirect(url_for("enterprises.join"), code=303)


@bp.get("/products")
@allow(*FIRM_ROLES)
def index() -> Any:
    enterprise = _own()
    if enterprise is None:
        return _to_join()
    page = min(max(request.args.get("page", 1, type=int), 1), MAX_PAGE)
    own = Product.enterprise_id == enterprise.id
    total = db.session.scalar(select(func.count(Product.id)).where(own)) or 0
    products = db.session.scalars(
        select(Product)
        .where(own)
        .order_by(Product.id.desc())
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    ).all()
    return render_template(
        "products/index.html",
        enterprise=enterprise,
        products=products,
        kinds=KINDS,
        page=page,
        per_page=PER_PAGE,
        total=total,
        page_url=lambda number: url_for("products.index", page=number),
    )


@bp.route("/products/new", methods=["GET", "POST"])
@allow(*FIRM_ROLES)
def new() -> Any:
    enterprise = _own()
    if enterprise is None:
        return _to_join()
    form = form_of(None)
    if _finished(form):
        try:
            product = operations.create_product(enterprise, current_user, **form.facts())
            db.session.commit()
            flash("产品存好了，可以拿它申报。", "done")
            return redirect(url_for("products.show", product_id=product.id), code=303)
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    return _form_page(form, None)


@bp.get("/products/<int:product_id>")
@allow("reviewer", "approver", "finance", *FIRM_ROLES)
def show(product_id: int) -> Any:
    product = _product(product_id)
    return render_template(
        "products/show.html",
        product=product,
        kinds=KINDS,
        patent_kinds=PATENT_KINDS,
        own=product.enterprise_id == enterprise_id_of(current_user),
        events=[
            {
                "at": event.at,
                "title": EVENTS.get(event.action, event.action),
                "text": "",
                "who": event.actor_name,
            }
            for event in reversed(trail(product, limit=20))
        ],
    )


@bp.route("/products/<int:product_id>/edit", methods=["GET", "POST"])
@allow(*FIRM_ROLES)
def edit(product_id: int) -> Any:
    product = _product(product_id)
    if product.enterprise_id != enterprise_id_of(current_user):
        abort(404)
    form = form_of(product)
    if _finished(form):
        try:
            operations.update_product(product, current_user, **form.facts())
            db.session.commit()
            flash("产品存好了。", "done")
            return redirect(url_for("products.show", product_id=product.id), code=303)
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
    return _form_page(form, product)


def _product(product_id: int) -> Product:
    product = db.session.get(Product, product_id) if product_id < 2**63 else None
    # Not there and not yours look alike, so that nobody can count other firms' products.
    if product is None or not product.visible_to(current_user):
        abort(404)
    return product


def _finished(form: ProductForm) -> bool:
    """Whether the form was posted to be saved, not to be given another row, and is right."""
    return "add_row" not in request.form and form.validate_on_submit()


def _form_page(form: ProductForm, product: Product | None) -> Any:
    status = 200
    wanted = request.form.get("add_row")
    if request.method == "GET":
        for rows in ROWS:
            form.add_rows(rows, BLANK_ROWS)
    elif wanted in ROWS:
        form.add_rows(wanted)
    else:
        status = 422
    return render_template("products/form.html", form=form, product=product), status
