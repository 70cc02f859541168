"""Handing out files: always as an attachment, only to those who may see them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, send_file
from flask_login import current_user

from catalogue.accounts.access import signed_in
from catalogue.database import db
from catalogue.documents.models import Document
from catalogue.documents.operations import open_document
from catalogue.documents.owners import firm_of

bp = Blueprint("documents", __name__)

# A file came from outside: the browser saves it, and would run nothing of it if it opened it.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


@bp.get("/documents/<int:document_id>")
@signed_in
def download(document_id: int) -> Any:
    document = db.session.get(Document, document_id) if document_id < 2**63 else None
    # Not there and not yours look alike, so that nobody can count other firms' files.
    if document is None or not document.visible_to(current_user, firm_of(current_user)):
        abort(404)
    response = send_file(
        open_document(document),
        mimetype=document.media_type,
        as_attachment=True,
        download_name=document.filename,
        etag=document.sha256,
        conditional=False,
    )
    response.content_length = document.size
    response.headers.update(HEADERS)
    return response
