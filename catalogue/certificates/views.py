"""The public check of a certificate, by number, by QR link, by day or by file; and its PDF."""

from __future__ import annotations

import hmac
from datetime import date
from io import BytesIO
from typing import Any

from flask import (
    Blueprint,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_login import current_user

from catalogue.accounts.access import public
from catalogue.certificates import log_views, offline_views, operations, status_views
from catalogue.certificates.forms import FileCheckForm
from catalogue.certificates.models import Certificate
from catalogue.certificates.rules import ACTS, normal_number
from catalogue.certificates.verify import Answer
from catalogue.database import SHANGHAI, utc_now
from catalogue.documents.operations import open_document
from catalogue.errors import Refused

bp = Blueprint("certificates", __name__)
bp.register_blueprint(log_views.bp)
bp.register_blueprint(offline_views.bp)
bp.register_blueprint(status_views.bp)

FIELD_NAMES = {
    "product": "产品",
    "enterprise": "申报单位",
    "credit_code": "统一社会信用代码",
    "model": "型号",
    "tier": "档次",
    "valid_from": "有效期起",
    "valid_until": "有效期止",
    "first_purchase_until": "可直接首购至",
    "formal_number": "编号",
    "statement": "认定内容",
}


@bp.get("/certificates")
@public
def check() -> Any:
    typed = request.args.get("number", "").strip()
    if not typed:
        return render_template("certificates/check.html", form=FileCheckForm(), typed="")
    number = normal_number(typed)
    if number is not None:
        return redirect(url_for(".show", number=number), code=303)
    page = render_template(
        "certificates/check.html",
        form=FileCheckForm(),
        typed=typed,
        fault="编号的样子不对，应如 SHCP-2026-0147。请照证书左上角重新输入",
    )
    return page, 422


@bp.post("/certificates/file")
@public
def check_file() -> Any:
    form = FileCheckForm()
    if not form.validate_on_submit():
        return render_template("certificates/check.html", form=form, typed=""), 422
    answer = operations.check_file(form.file.data.read())
    return render_template(
        "certificates/file.html",
        answer=answer,
        certificate=answer.entry,
        standing=answer.entry.standing(_today()) if answer.entry else None,
        differences=_differences(answer),
        today=_today(),
        filename=form.file.data.filename or "",
    )


def _differences(answer: Answer) -> list[dict[str, str]]:
    """Where the words of an altered file differ from the register."""
    if answer.kind != "altered" or not isinstance(answer.entry, Certificate):
        return []
    ours = answer.entry.wording
    return [
        {
            "label": label,
            "ours": str(ours.get(key) or "（无）"),
            "theirs": str(answer.claimed.get(key) or "（无）")[:200],
        }
        for key, label in FIELD_NAMES.items()
        if answer.claimed.get(key) != ours.get(key)
    ]


@bp.get("/certificates/<number>")
@public
def show(number: str) -> Any:
    certificate = operations.check_number(number)
    if certificate is None:
        return render_template("certificates/unknown.html", number=number[:60]), 404
    if number != certificate.number:
        kept: dict[str, Any] = {
            key: request.args[key] for key in ("t", "on") if key in request.args
        }
        return redirect(url_for(".show", number=certificate.number, **kept), code=303)
    day, fault = _asked_day()
    token = request.args.get("t", "")
    page = render_template(
        "certificates/show.html",
        certificate=certificate,
        words=certificate.words,
        standing=certificate.standing(_today()),
        today=_today(),
        asked=day,
        asked_text=request.args.get("on", "")[:20],
        answer=certificate.standing(day) if day else None,
        fault=fault,
        token=token,
        genuine=_holds(certificate, token) if token else None,
        acts=ACTS,
        may_ask=current_user.is_authenticated and current_user.has_role(*operations.ASKERS),
        may_download=certificate.document_id is not None and _may_download(certificate),
    )
    response = make_response(page, 422 if fault else 200)
    # A change must show at once, on every copy of this page.
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/certificates/<number>/status.json")
@public
def status_json(number: str) -> Any:
    """What the page tells, for programs; ``?on=`` asks for another day than today."""
    certificate = operations.check_number(number) or abort(404)
    day, fault = _asked_day()
    if fault:
        raise Refused(fault, status=422)
    response = jsonify(operations.told(certificate, day or _today()))
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/certificates/<number>/answer.pdf")
@public
def answer_pdf(number: str) -> Any:
    """The page's answer for today or ``?on=``, signed, for the purchase file."""
    certificate = operations.check_number(number) or abort(404)
    day, fault = _asked_day()
    if fault:
        raise Refused(fault, status=422)
    day = day or _today()
    response = send_file(
        BytesIO(operations.answer_file(certificate, day)),
        mimetype="application/pdf",
        as_attachment=True,
        download_name=f"{certificate.number}-{day}.pdf",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/certificates/<number>/pdf")
@public
def pdf(number: str) -> Any:
    certificate = operations.check_number(number)
    # Whoever only guesses numbers gets the status, not the paper.
    if certificate is None or certificate.document is None or not _may_download(certificate):
        abort(404)
    response = send_file(
        open_document(certificate.document),
        mimetype="application/pdf",
        as_attachment=True,
        download_name=f"{certificate.number}.pdf",
        etag=certificate.file_sha256 or "",
        conditional=False,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _may_download(certificate: Certificate) -> bool:
    """Who holds the QR link, the firm itself, and staff."""
    if _holds(certificate, request.args.get("t", "")):
        return True
    return bool(current_user.is_authenticated and certificate.visible_to(current_user))


def _holds(certificate: Certificate, token: str) -> bool:
    return hmac.compare_digest(certificate.token.encode(), token.encode())


def _asked_day() -> tuple[date | None, str | None]:
    text = request.args.get("on", "").strip()
    if not text:
        return None, None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None, "请填日期，例如 2026-11-20"
    return day, None


def _today() -> date:
    return utc_now().astimezone(SHANGHAI).date()
