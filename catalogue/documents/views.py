"""Handing out files as attachments, and their pages as pictures, to those who may see them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, request, send_file
from flask_login import current_user

from catalogue.accounts.access import signed_in
from catalogue.database import db
from catalogue.documents import pages
from catalogue.documents.models import Document
from catalogue.documents.operations import open_document
from catalogue.documents.owners import firm_of
from catalogue.errors import Refused

bp = Blueprint("documents", __name__)

# A file came from outside: the browser saves it, and would run nothing of it if it opened it.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


def load(document_id: int) -> Document:
    """The file when this person may see it; 404 otherwise, existing or not."""
    document = db.session.get(Document, document_id) if document_id < 2**63 else None
    # Not there and not yours look alike, so that nobody can count other firms' files.
    if document is None or not document.visible_to(current_user, firm_of(current_user)):
        abort(404)
    return document


@bp.get("/documents/<int:document_id>")
@signed_in
def download(document_id: int) -> Any:
    document = load(document_id)
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


@bp.get("/documents/<int:document_id>/pages/<int:page>.png")
@signed_in
def page(document_id: int, page: int) -> Any:
    """One page as a picture; ``mark`` (label=value, repeated) is highlighted where it stands."""
    document = load(document_id)
    marks = [pages.mark_of(text) for text in request.args.getlist("mark")]
    if not pages.bounded(marks) or not 1 <= page <= pages.MAX_PAGE:
        abort(404)
    etag = pages.name_of(document, "draw", page, marks)
    response = Response(mimetype="image/png")
    response.set_etag(etag)
    # Kept by the reader's browser, but asked for anew, so that access is checked every time.
    response.headers["Cache-Control"] = "private, no-cache"
    if etag in request.if_none_match:
        response.status_code = 304
        return response
    try:
        response.data = pages.draw(document, page, marks)
    except pages.Unshowable as error:
        raise Refused(str(error), status=422) from error
    return response
