"""What one takes away from an application: its 申报书, its findings, its signed record."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from flask import Blueprint, abort, current_app, jsonify, send_file
from flask_login import current_user
from sqlalchemy import select

from catalogue.accounts.access import allow
from catalogue.applications import operations, pdf
from catalogue.applications.models import STAFF_ROLES, Application
from catalogue.database import db
from catalogue.documents import fonts, paper
from catalogue.policies import record as decision
from catalogue.policies.models import DecisionRecord
from catalogue.policies.operations import document_of, newest_record

bp = Blueprint("downloads", __name__)

READERS = ("applicant", "signatory", *STAFF_ROLES)


def seen_application(number: str) -> Application:
    """The application when this person may see it; 404 otherwise, existing or not."""
    application = db.session.scalar(select(Application).where(Application.number == number))
    if application is None or not application.visible_to(current_user):
        abort(404)
    return application


def _record_of(application: Application) -> DecisionRecord:
    return newest_record(application.number) or abort(404)


@bp.get("/applications/<number>/record.json")
@allow(*READERS)
def record(number: str) -> Any:
    """The signed decision record of the newest check, which anyone can re-run."""
    kept = _record_of(seen_application(number))
    data = decision.envelope(kept.record.encode(), kept.signature, kept.certificate)
    return _attachment(data, f"{number}-record.json", "application/json")


@bp.get("/applications/<number>/findings.json")
@allow(*READERS)
def findings(number: str) -> Any:
    """What the newest check found and worked out, without the facts."""
    kept = _record_of(seen_application(number))
    found = json.loads(kept.record)
    del found["facts"]
    return jsonify({**found, "record_sha256": kept.sha256})


@bp.get("/applications/<number>/application.pdf")
@allow(*READERS)
def document(number: str) -> Any:
    """The 申报书 as it stands now."""
    application = seen_application(number)
    papers = pdf.papers_of(
        application,
        document_of(application.policy),
        newest_record(number),
        operations.finding_remarks(application),
        specimen=current_app.config["MODE"] != "production",
    )
    data = paper.draw(papers, fonts.prepare(current_app.config["FONTS_DIR"]))
    return _attachment(data, f"{number}.pdf", "application/pdf")


def _attachment(data: bytes, name: str, media_type: str) -> Any:
    response = send_file(BytesIO(data), mimetype=media_type, as_attachment=True, download_name=name)
    response.headers["Cache-Control"] = "no-store"
    return response
